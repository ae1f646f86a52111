"""A model's client as an autogen-core agent sees it within a turn: each answer is journaled."""

from collections.abc import Sequence
from typing import Any

from autogen_core.models import ChatCompletionClient, CreateResult
from pydantic_core import to_jsonable_python

from lamplighter.runtime.adapters.requests import Requests
from lamplighter.runtime.agents.turn import Turn


class Journaled(ChatCompletionClient):
    """Another client, whose `create` is not called again for what it had answered before a crash.

    Args:
        client: the real one. Its streams are passed on as they are, and not journaled.
        turn: the turn that asks.
        requests: what it waits for goes there.
    """

    def __init__(self, client: ChatCompletionClient, turn: Turn, requests: Requests) -> None:
        self._client = client
        self._turn = turn
        self._requests = requests

    async def create(self, messages: Sequence[Any], **more: Any) -> CreateResult:
        """See `ChatCompletionClient`."""
        client = self._client

        async def create(said: Any, terms: Any) -> str:
            del said, terms
            return str((await client.create(messages, **more)).model_dump_json())

        told = {name: value for name, value in more.items() if name != "cancellation_token"}
        said = to_jsonable_python(list(messages), fallback=_named)
        call = self._turn.call(create, said, to_jsonable_python(told, fallback=_named))
        return CreateResult.model_validate_json(await self._requests.asked(call))

    def create_stream(self, messages: Sequence[Any], **more: Any) -> Any:
        """See `ChatCompletionClient`."""
        return self._client.create_stream(messages, **more)

    async def close(self) -> None:
        """See `ChatCompletionClient`."""
        await self._client.close()

    def actual_usage(self) -> Any:
        """See `ChatCompletionClient`."""
        return self._client.actual_usage()

    def total_usage(self) -> Any:
        """See `ChatCompletionClient`."""
        return self._client.total_usage()

    def count_tokens(self, messages: Sequence[Any], **more: Any) -> int:
        """See `ChatCompletionClient`."""
        return int(self._client.count_tokens(messages, **more))

    def remaining_tokens(self, messages: Sequence[Any], **more: Any) -> int:
        """See `ChatCompletionClient`."""
        return int(self._client.remaining_tokens(messages, **more))

    @property
    def capabilities(self) -> Any:
        """See `ChatCompletionClient`."""
        return self._client.capabilities

    @property
    def model_info(self) -> Any:
        """See `ChatCompletionClient`."""
        return self._client.model_info


def _named(value: Any) -> str:
    return type(value).__qualname__

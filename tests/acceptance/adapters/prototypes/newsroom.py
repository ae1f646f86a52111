"""A prototype with autogen-core: `python newsroom.py QUESTION`. An editor, two writers and an archive."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

from autogen_core import (
    AgentId,
    AgentRuntime,
    DefaultTopicId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    default_subscription,
    message_handler,
)
from autogen_core.models import ChatCompletionClient, CreateResult, RequestUsage, UserMessage


@dataclass
class Topic:
    """To be written about."""

    title: str


@dataclass
class Text:
    """What was written."""

    text: str


@dataclass
class Printed:
    """What was printed."""

    text: str


@dataclass
class Search:
    """A question to the archive."""

    word: str


class Model(ChatCompletionClient):
    """Stands for a model: slow, and every call is seen."""

    async def create(self, messages: Sequence[Any], **more: Any) -> CreateResult:
        """Answer."""
        said = str(messages[-1].content)
        with open(os.environ.get("MODEL_LOG", os.devnull), "a", encoding="utf-8") as log:
            log.write(f"{said}\n")
        await asyncio.sleep(float(os.environ.get("MODEL_S", "0")))
        usage = RequestUsage(prompt_tokens=1, completion_tokens=1)
        return CreateResult(finish_reason="stop", content=said.upper(), usage=usage, cached=False)

    def create_stream(self, messages: Sequence[Any], **more: Any) -> AsyncGenerator[Any, None]:
        """Not here."""
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing to close."""

    def actual_usage(self) -> RequestUsage:
        """Nothing counted."""
        return RequestUsage(prompt_tokens=0, completion_tokens=0)

    total_usage = actual_usage

    def count_tokens(self, messages: Sequence[Any], **more: Any) -> int:
        """Nothing counted."""
        return 0

    remaining_tokens = count_tokens
    capabilities: Any = None
    model_info: Any = None


class Writer(RoutedAgent):
    """Writes, and counts what it has written."""

    def __init__(self, model: ChatCompletionClient) -> None:
        """Take the model."""
        super().__init__("a writer")
        self._model = model
        self._written: list[str] = []

    @message_handler
    async def on_topic(self, message: Topic, ctx: MessageContext) -> Text:
        """Write about a topic."""
        said = UserMessage(content=f"{self.id.key} on {message.title}", source="editor")
        self._written.append(str((await self._model.create([said])).content))
        return Text(f"{self._written[-1]} ({len(self._written)})")


class Editor(RoutedAgent):
    """Asks two writers at once, has the model put it together, and has it printed."""

    def __init__(self, model: ChatCompletionClient) -> None:
        """Take the model."""
        super().__init__("an editor")
        self._model = model

    @message_handler
    async def on_topic(self, message: Topic, ctx: MessageContext) -> Text:
        """Have a topic written about."""
        writers = [AgentId("writer", name) for name in ("ann", "bob")]
        texts = await asyncio.gather(*[self.send_message(message, writer) for writer in writers])
        said = UserMessage(content=" and ".join(each.text for each in texts), source="editor")
        printed = str((await self._model.create([said])).content)
        await self.publish_message(Printed(printed), DefaultTopicId())
        return Text(printed)


@default_subscription
class Archive(RoutedAgent):
    """Keeps what was printed."""

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__("the archive")
        self._kept: list[str] = []

    @message_handler
    async def on_printed(self, message: Printed, ctx: MessageContext) -> None:
        """Keep it."""
        self._kept.append(message.text)

    @message_handler
    async def on_search(self, message: Search, ctx: MessageContext) -> Text:
        """Say how much there is with a word."""
        return Text(str(sum(message.word in text for text in self._kept)))


async def register(runtime: AgentRuntime) -> None:
    """Register all agents."""
    model = Model()
    await Writer.register(runtime, "writer", lambda: Writer(model))
    await Editor.register(runtime, "editor", lambda: Editor(model))
    await Archive.register(runtime, "archive", Archive)


async def main(title: str) -> None:
    """Run it once."""
    runtime = SingleThreadedAgentRuntime()
    await register(runtime)
    runtime.start()
    print((await runtime.send_message(Topic(title), AgentId("editor", "default"))).text)
    await runtime.stop_when_idle()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))

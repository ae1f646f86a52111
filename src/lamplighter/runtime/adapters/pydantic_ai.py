"""A pydantic-ai agent as a kind of agent: its conversation is the durable state.

Each answer of the model, and each round of tools, is one journaled call: after a crash the run goes on by
itself, and the model is not asked again for what it had answered.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from pydantic_ai import ModelMessagesTypeAdapter
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.usage import RunUsage
from pydantic_core import to_jsonable_python
from pydantic_graph import End

from lamplighter.runtime.adapters.making import Making
from lamplighter.runtime.agents.agent import Agent, Message
from lamplighter.runtime.agents.errors import AgentDefinitionError
from lamplighter.runtime.agents.turn import Turn


class Prompt(Message):
    """Say something to the agent; it answers with its output as plain values."""

    prompt: str


class Step(msgspec.Struct, array_like=True):
    """One step of a run.

    Args:
        added: the messages after the prompt's history so far, as pydantic-ai's JSON; all of this run.
        usage: what the run has used, as JSON.
        done: whether `output` is there.
        output: of the run, as plain values.
    """

    added: bytes
    usage: dict[str, Any]
    done: bool
    output: Any


def of_agent(agent: Any, *, name: str = "", deps: Callable[[str], Any] | None = None) -> type[Agent]:
    """Make a pydantic-ai agent a kind of agent.

    Args:
        agent: the agent, with its model, tools and output type.
        name: of the kind; the agent's name by default.
        deps: makes the dependencies of a run; told the address of the one it is for.

    Raises:
        AgentDefinitionError: the agent has no name.
    """
    named = name or agent.name or ""
    if not named:
        raise AgentDefinitionError("the agent has no name", mend="give agent_of a name, or Agent(name=...)")

    async def step(address: str, history: bytes, prompt: str, done_before: list[Any]) -> Step:
        given = {} if deps is None else {"deps": deps(address)}
        added, usage = done_before or (b"[]", {})
        return await _advance(agent, given, (history, prompt, added, usage))

    step.__qualname__ = f"{named}.step"

    async def on_prompt(self: Any, turn: Turn, message: Prompt) -> Any:
        before: list[Any] = []
        while True:
            stepped = await turn.call(step, turn.address, self.history, message.prompt, before)
            if stepped.done:
                self.history = _joined(self.history, stepped.added)
                return stepped.output
            before = [stepped.added, stepped.usage]

    making = Making(named, doc=f"The agent {named}.")
    making.field("history", bytes, lambda: b"[]")
    making.handler("prompt", Prompt, Any, on_prompt)
    return making.made()


async def _advance(agent: Any, given: dict[str, Any], at: tuple[bytes, str, bytes, dict[str, Any]]) -> Step:
    """Run until the model has answered, or a round of tools is over."""
    packed, prompt, added, used = at
    history = ModelMessagesTypeAdapter.validate_json(packed)
    so_far = ModelMessagesTypeAdapter.validate_json(added)
    known = [*history, *so_far]
    usage = RunUsage(**used)
    begun = None if so_far else prompt
    async with agent.iter(begun, message_history=known, usage=usage, **given) as run:
        node = run.next_node
        while not isinstance(node, End):
            before = node
            node = await run.next(node)
            messages = run.all_messages()
            if agent.is_model_request_node(before) and _calls_tools(messages[-1]):
                break
            if agent.is_call_tools_node(before) and agent.is_model_request_node(node):
                messages = [*messages, node.request]
                break
        new = ModelMessagesTypeAdapter.dump_json(messages[len(history) :])
        done = isinstance(node, End)
        output = to_jsonable_python(node.data.output, fallback=repr) if isinstance(node, End) else None
        return Step(new, _counted(run.usage), done, output)


def _calls_tools(message: Any) -> bool:
    return isinstance(message, ModelResponse) and any(isinstance(p, ToolCallPart) for p in message.parts)


def _counted(usage: Any) -> dict[str, Any]:
    plain = to_jsonable_python(usage if isinstance(usage, RunUsage) else usage(), fallback=repr)
    return {name: value for name, value in plain.items() if value}


def _joined(history: bytes, added: bytes) -> bytes:
    """Put two JSON lists of messages together, without reading them."""
    first, second = history.strip()[1:-1], added.strip()[1:-1]
    return b"[" + (b"," if first and second else b"").join((first, second)) + b"]"

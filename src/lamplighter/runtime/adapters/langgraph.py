"""A compiled LangGraph graph as a kind of agent: an agent is a thread, its checkpoint the durable state.

Each superstep is one journaled call, so after a crash the graph goes on by itself from the last superstep
that had finished. A graph that interrupts itself answers with what it waits for; `Resume` gives it that.
"""

from typing import Any

import msgspec
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic_core import to_jsonable_python

from lamplighter.runtime.adapters.making import Making
from lamplighter.runtime.agents.agent import Agent, Message
from lamplighter.runtime.agents.errors import AgentDefinitionError
from lamplighter.runtime.agents.turn import Turn

THREAD = "agent"
"""The one thread that a saver ever holds here: each agent has a saver of its own."""


class Invoke(Message):
    """Run the graph on an input, which is what its `invoke` takes."""

    input: Any


class Resume(Message):
    """Go on where the graph interrupted itself, with this value."""

    value: Any


class Answer(msgspec.Struct):
    """What came of it.

    Args:
        output: the graph's output so far, as plain values.
        interrupts: what the graph waits for, if it has interrupted itself; then send `Resume`.
    """

    output: Any
    interrupts: list[Any] = []


class Step(msgspec.Struct, array_like=True):
    """One superstep: the checkpoint after it, and what the graph then waits for."""

    checkpoint: bytes
    done: bool
    output: Any
    interrupts: list[Any]


def of_graph(graph: Any, *, name: str = "", config: dict[str, Any] | None = None) -> type[Agent]:
    """Make a compiled graph a kind of agent.

    Args:
        graph: a compiled graph. A checkpointer that it was compiled with is not used.
        name: of the kind; the graph's name by default.
        config: what its runs are given as `config`, besides the thread.

    Raises:
        AgentDefinitionError: the graph has no usable name.
    """
    named = name or str(graph.name)
    if not any(letter.isalnum() for letter in named):
        raise AgentDefinitionError("the graph has no name", mend="give agent_of a name")

    async def step(address: str, checkpoint: bytes, given: list[Any]) -> Step:
        del address
        return await _advance(graph, config or {}, checkpoint, given)

    step.__qualname__ = f"{named}.step"

    async def run(self: Any, turn: Turn, given: list[Any]) -> Answer:
        while True:
            stepped = await turn.call(step, turn.address, self.checkpoint, given)
            self.checkpoint = stepped.checkpoint
            if stepped.done or stepped.interrupts:
                return Answer(stepped.output, stepped.interrupts)
            given = []

    async def on_invoke(self: Any, turn: Turn, message: Invoke) -> Answer:
        return await run(self, turn, ["input", message.input])

    async def on_resume(self: Any, turn: Turn, message: Resume) -> Answer:
        return await run(self, turn, ["resume", message.value])

    making = Making(named, doc=f"The graph {named}.")
    making.field("checkpoint", bytes, bytes)
    making.handler("invoke", Invoke, Answer, on_invoke)
    making.handler("resume", Resume, Answer, on_resume)
    return making.made()


async def _advance(graph: Any, config: dict[str, Any], checkpoint: bytes, given: list[Any]) -> Step:
    """Run one superstep from a checkpoint; `given` is what begins or resumes a run, or empty."""
    saver = InMemorySaver()
    if checkpoint:
        _load(saver, checkpoint)
    alone = graph.copy({"checkpointer": saver})
    thread = {**config, "configurable": {**config.get("configurable", {}), "thread_id": THREAD}}
    match given:
        case ["input", value]:
            begun: Any = value
        case ["resume", value]:
            begun = Command(resume=value)
        case _:
            begun = None
    async for _ in alone.astream(begun, thread, interrupt_after="*", durability="sync"):
        pass
    state = await alone.aget_state(thread)
    interrupts = [to_jsonable_python(each.value, fallback=repr) for each in state.interrupts]
    return Step(_dump(saver, whole=_needs_history(graph)), not state.next, _output(graph, state), interrupts)


def _output(graph: Any, state: Any) -> Any:
    channels = graph.output_channels
    values = state.values
    if isinstance(channels, str):
        values = values.get(channels) if isinstance(values, dict) and channels in values else values
    elif isinstance(values, dict):
        values = {name: values[name] for name in channels if name in values}
    return to_jsonable_python(values, fallback=repr)


def _needs_history(graph: Any) -> bool:
    """Whether a checkpoint of the graph says only what has changed since those before it."""
    return any(type(channel).__name__.startswith("Delta") for channel in graph.channels.values())


def _dump(saver: InMemorySaver, *, whole: bool) -> bytes:
    """Pack the last checkpoint of each namespace (or all), with its writes and channels."""
    kept = []
    for space, checkpoints in saver.storage[THREAD].items():
        for number in checkpoints if whole else [max(checkpoints)]:
            packed, metadata, parent = checkpoints[number]
            versions = saver.serde.loads_typed(packed).get("channel_versions", {})
            blobs = [
                (channel, version, saver.blobs[THREAD, space, channel, version])
                for channel, version in versions.items()
                if (THREAD, space, channel, version) in saver.blobs
            ]
            writes = list(saver.writes.get((THREAD, space, number), {}).items())
            kept.append((space, number, packed, metadata, parent, blobs, writes))
    return msgspec.msgpack.encode(kept)


def _load(saver: InMemorySaver, packed: bytes) -> None:
    for space, number, checkpoint, metadata, parent, blobs, writes in msgspec.msgpack.decode(packed):
        saver.storage[THREAD][space][number] = (tuple(checkpoint), tuple(metadata), parent)
        for channel, version, blob in blobs:
            saver.blobs[THREAD, space, channel, version] = tuple(blob)
        for key, (task, channel, value, path) in writes:
            saver.writes[THREAD, space, number][tuple(key)] = (task, channel, tuple(value), path)

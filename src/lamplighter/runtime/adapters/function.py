"""A plain function as a kind of agent: its parameters are the message, what it returns is the answer.

    async def count(question: str, state: Notes) -> str: ...
                    └ the message   └ durable      └ the answer

It runs as one journaled call, so a crash after it has returned does not run it again. One that takes a
`turn` runs as a handler instead, and may send, ask and call by itself.
"""

import inspect
import typing
from collections.abc import Callable
from typing import Any

import msgspec

from lamplighter.runtime.adapters.making import Making, pascal
from lamplighter.runtime.agents.agent import Agent, Message
from lamplighter.runtime.agents.errors import AgentDefinitionError
from lamplighter.runtime.agents.turn import Turn

_GIVEN = ("turn", "state", "key")
"""Parameters that the runtime fills in; the others are the message's fields."""


def of_function(function: Callable[..., Any], *, name: str = "") -> type[Agent]:
    """Make a function a kind of agent.

    Args:
        function: its parameters need annotations that msgspec can encode. It may also take `state` (this
            agent's durable state: annotated, and either with a default or of a type that can be made
            without arguments; changed in place), `key` (the call's stable name) and `turn`.
        name: of the kind; the function's name by default.

    Raises:
        AgentDefinitionError: a parameter cannot be a field of a message, or the state cannot be made.
    """
    parameters = inspect.signature(function).parameters
    hints = typing.get_type_hints(function)
    fields = [_field(function, parameters[each], hints) for each in parameters if each not in _GIVEN]
    message = msgspec.defstruct(
        pascal(function.__name__), fields, bases=(Message,), module=function.__module__, frozen=True
    )
    taken = [field[0] for field in fields]
    keeps = "state" in parameters
    if "turn" in parameters:
        handler = _handled(function, taken, keeps=keeps)
    else:
        handler = _called(function, taken, keeps=keeps)
    making = Making(name or function.__name__.strip("_").replace("_", "-"), doc=function.__doc__ or "")
    if keeps:
        making.field("state", hints.get("state", Any), _maker(function, parameters["state"], hints))
    making.handler("call", message, hints.get("return", Any), handler)
    return making.made()


def _field(
    function: Callable[..., Any], parameter: inspect.Parameter, hints: dict[str, Any]
) -> tuple[Any, ...]:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise AgentDefinitionError(
            f"{function.__qualname__} takes {parameter}", mend="name its parameters: they are the message"
        )
    hint = hints.get(parameter.name, Any)
    if parameter.default is parameter.empty:
        return (parameter.name, hint)
    return (parameter.name, hint, parameter.default)


def _maker(
    function: Callable[..., Any], parameter: inspect.Parameter, hints: dict[str, Any]
) -> Callable[[], Any]:
    """Return what makes the state of an agent that is new."""
    if parameter.default is not parameter.empty:
        packed = msgspec.msgpack.encode(parameter.default)
        return lambda: msgspec.msgpack.decode(packed, type=hints.get("state", Any))
    hint = hints.get("state")
    maker = typing.get_origin(hint) or hint
    try:
        maker()  # type: ignore[misc]  # told below if it cannot be called
    except TypeError as error:
        raise AgentDefinitionError(
            f"{function.__qualname__}: no state can be made of {hint!r}: {error}",
            mend="annotate `state` with a class whose fields all have defaults, or give it a default",
        ) from error
    return typing.cast("Callable[[], Any]", maker)


def _handled(function: Callable[..., Any], taken: list[str], *, keeps: bool) -> Callable[..., Any]:
    """Run the function as the handler itself."""

    async def on_call(self: Any, turn: Turn, message: Any) -> Any:
        given = {"state": self.state} if keeps else {}
        return await function(turn=turn, **given, **{each: getattr(message, each) for each in taken})

    return on_call


def _called(function: Callable[..., Any], taken: list[str], *, keeps: bool) -> Callable[..., Any]:
    """Run the function as a journaled call, which returns the state as well."""
    takes_key = "key" in inspect.signature(function).parameters

    async def run(state: Any, values: list[Any], key: str = "") -> tuple[Any, Any]:
        given = {"state": state} if keeps else {}
        if takes_key:
            given["key"] = key
        answer = function(**given, **dict(zip(taken, values, strict=True)))
        if inspect.isawaitable(answer):
            answer = await answer
        return answer, state

    run.__qualname__ = function.__qualname__
    run.__module__ = function.__module__
    hints = typing.get_type_hints(function)

    async def on_call(self: Any, turn: Turn, message: Any) -> Any:
        values = [getattr(message, each) for each in taken]
        answer, state = await turn.call(run, self.state if keeps else None, values)
        if keeps:
            self.state = msgspec.convert(state, hints.get("state", Any))
        return answer

    return on_call

"""What a user writes: an agent is a class with typed, durable fields; its handlers are `async def on_*`.

Nothing here runs anything. A class is looked over when it is defined, so that a mistake is told where it
was made; `kinds` turns it into something that can be run.
"""

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from typing import Any, dataclass_transform, get_args, get_origin

import msgspec

from lamplighter.model.naming import kind_name
from lamplighter.runtime.agents.errors import AgentDefinitionError

Handler = Callable[..., Any]

_SELF_TURN_MESSAGE = 3
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_OPTIONS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "version": (int,),
    "attempts": (int,),
    "backoff_s": (int, float),
    "mailbox": (int,),
    "mailbox_bytes": (int,),
    "state_bytes_max": (int,),
    "expires_s": (int, float),
}


@dataclass_transform(frozen_default=True)
class Message(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """A value that agents send each other: typed fields, immutable, known by its class's name.

    Fields that a later version adds need defaults; those it drops are skipped in what is still on its way.
    """


class Agent(msgspec.Struct, array_like=True, eq=False):
    """One agent's durable state and what it does with a message.

    Every field needs a default: an agent comes to be with its first message. A handler is an `async def`
    whose name starts with `on_`, with the turn, then the message (its annotation says which); what it
    returns answers an `ask`. An inner `class Config` may set:

        name: the kind's name in addresses (the class's name in kebab case); the one option not inherited
        version: number of the state's meaning, for `upgrade` (1)
        attempts: how often a message whose handler raises is tried before it is a dead letter (3)
        backoff_s: wait before the second try, twice as long before each further one (0.1)
        mailbox: messages that may wait for one agent (1,000)
        mailbox_bytes: what they may weigh together (16 MiB)
        state_bytes_max: size of one encoded state (1 MiB)
        expires_s: an agent without a turn for so long is forgotten (0: never)
    """

    def __init_subclass__(cls, **options: Any) -> None:
        """Look the class over; a mistake is an `AgentDefinitionError` at its definition."""
        super().__init_subclass__(**options)
        settings(cls)
        for name, method in handlers(cls):
            _check(cls, name, method)

    @classmethod
    def upgrade(cls, version: int, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a state that was stored by another version of the class.

        Called when the stored version or the stored field names differ from the class's. Fields the class
        does not have are dropped afterwards, those that are missing get their defaults.

        Args:
            version: `Config.version` of the class that stored the state.
            fields: its fields by name, as plain values.
        """
        del version
        return fields


class Settings(msgspec.Struct, frozen=True):
    """A kind's limits and name, from its `Config`; units in the names."""

    name: str
    version: int = 1
    attempts: int = 3
    backoff_s: float = 0.1
    mailbox: int = 1000
    mailbox_bytes: int = 16 << 20
    state_bytes_max: int = 1 << 20
    expires_s: float = 0.0


def settings(cls: type[Agent]) -> Settings:
    """Return what the class's `Config` says, with the defaults for the rest.

    Raises:
        AgentDefinitionError: an option that there is not, or of the wrong type.
    """
    config = getattr(cls, "Config", None)
    asked = (
        {name: getattr(config, name) for name in dir(config) if not name.startswith("_")} if config else {}
    )
    for option, value in asked.items():
        if option not in _OPTIONS:
            raise _wrong(cls, f"Config has no option {option!r}", f"it has {', '.join(_OPTIONS)}")
        if not isinstance(value, _OPTIONS[option]) or isinstance(value, bool):
            raise _wrong(cls, f"Config.{option} is {value!r}", f"give a {_OPTIONS[option][-1].__name__}")
        if isinstance(value, int | float) and value < (0 if option.endswith("_s") else 1):
            raise _wrong(cls, f"Config.{option} is {value!r}", "give a larger number")
    if "name" not in vars(vars(cls).get("Config", object)):
        asked["name"] = kind_name(cls.__name__)
    if not _NAME.fullmatch(asked["name"]):
        raise _wrong(
            cls, f"{asked['name']!r} is no name of a kind", "use letters, digits and hyphens in Config.name"
        )
    return Settings(**asked)


def handlers(cls: type) -> Iterator[tuple[str, Handler]]:
    """Yield the class's handlers, inherited ones too, by name."""
    for name in sorted(dir(cls)):
        if name.startswith("on_"):
            yield name, getattr(cls, name)


def accepted(cls: type, name: str, method: Handler) -> tuple[tuple[type[Message], ...], Any]:
    """Return the messages that a handler takes, and the annotation of what it answers.

    Raises:
        NameError: an annotation names what is not defined (yet).
        AgentDefinitionError: the annotation is no message.
    """
    hints = typing.get_type_hints(method)
    parameter = list(inspect.signature(method).parameters)[2]
    if parameter not in hints:
        raise _wrong(cls, f"{name} does not say which message it takes", f"annotate {parameter!r}")
    hint = hints[parameter]
    types = get_args(hint) if get_origin(hint) is not None else (hint,)
    for one in types:
        if not (isinstance(one, type) and issubclass(one, Message) and one is not Message):
            raise _wrong(cls, f"{name} takes {hint!r}", "annotate a class derived from Message, or a union")
    return types, hints.get("return", Any)


def _check(cls: type[Agent], name: str, method: Handler) -> None:
    """Tell what is wrong with a handler; annotations not defined yet are looked at when it is registered."""
    if not inspect.iscoroutinefunction(method):
        raise _wrong(cls, f"{name} is not a coroutine function", f"write `async def {name}`")
    parameters = list(inspect.signature(method).parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(positional) != len(parameters) or len(parameters) != _SELF_TURN_MESSAGE:
        raise _wrong(
            cls,
            f"{name} takes {len(parameters)} parameters",
            f"write `async def {name}(self, turn, message)`",
        )
    try:
        accepted(cls, name, method)
    except NameError:
        return


def _wrong(cls: type, what: str, mend: str) -> AgentDefinitionError:
    return AgentDefinitionError(f"agent {cls.__qualname__}: {what}", mend=mend)

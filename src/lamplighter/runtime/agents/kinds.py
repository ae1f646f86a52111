"""Agent classes made ready to run: how to decode, handle and encode, looked up by a kind's name.

Between the class a user writes (`agent`) and the host that runs it. Knows nothing of partitions, journals
or time.
"""

from collections.abc import Callable, Iterable
from typing import Any, Union, cast

import msgspec
from msgspec import msgpack

from lamplighter.runtime.agents import agent as defined
from lamplighter.runtime.agents.agent import Agent, Handler, Message, Settings
from lamplighter.runtime.agents.errors import (
    AgentDefinitionError,
    StateUnreadableError,
    UnknownKindError,
    UnknownMessageError,
)

ENCODE = msgpack.Encoder().encode
"""Encodes messages, answers and states."""


class Kind:
    """One agent class with its decoders and handlers.

    Args:
        cls: the class.

    Raises:
        AgentDefinitionError: a field without default, no handler, or two for one message.
    """

    __slots__ = ("answers", "cls", "decode", "fields", "handlers", "message", "settings")

    def __init__(self, cls: type[Agent]) -> None:
        self.cls = cls
        self.settings: Settings = defined.settings(cls)
        self.fields: tuple[str, ...] = cls.__struct_fields__
        self.handlers: dict[type[Message], Handler] = {}
        self.answers: dict[type[Message], Callable[[bytes], Any]] = {}
        self._register()
        self._check_fields()
        self.decode: Callable[[bytes], Agent] = msgpack.Decoder(cls).decode
        self.message: Callable[[bytes], Message] = self._message_decoder()

    @property
    def name(self) -> str:
        """The kind's name, the first part of its agents' addresses."""
        return self.settings.name

    def read(self, packed: bytes) -> Message:
        """Decode a message for this kind.

        Raises:
            UnknownMessageError: no handler takes it, or its fields do not fit.
        """
        try:
            return self.message(packed)
        except msgspec.DecodeError as error:
            known = ", ".join(sorted(message.__name__ for message in self.handlers))
            raise UnknownMessageError(
                f"{self.name} cannot read this message: {error}", mend=f"it takes {known}"
            ) from error

    def revive(self, packed: bytes, version: int, fields: tuple[str, ...]) -> Agent:
        """Decode a state that was stored under these field names, by `upgrade` where they differ.

        Raises:
            StateUnreadableError: it fits neither the class nor what `upgrade` makes of it.
        """
        try:
            if version == self.settings.version and fields == self.fields:
                return self.decode(packed)
            stored = self.cls.upgrade(version, dict(zip(fields, msgpack.decode(packed), strict=True)))
            values = msgspec.to_builtins(self.cls())
            merged = [stored.get(name, value) for name, value in zip(self.fields, values, strict=True)]
            return self.decode(ENCODE(merged))
        except Exception as error:  # upgrade is the user's code
            raise StateUnreadableError(
                f"a stored {self.name} does not fit {self.cls.__qualname__}: {error}"
            ) from error

    def _register(self) -> None:
        for name, method in defined.handlers(self.cls):
            try:
                messages, answer = defined.accepted(self.cls, name, method)
            except NameError as error:
                raise AgentDefinitionError(
                    f"agent {self.cls.__qualname__}: {name} is annotated with what is not defined: {error}",
                    mend="define the message at the top of the module",
                ) from error
            for message in messages:
                if message in self.handlers:
                    raise AgentDefinitionError(
                        f"agent {self.cls.__qualname__}: two handlers take {message.__name__}",
                        mend="keep one of them",
                    )
                self.handlers[message] = method
                self.answers[message] = msgpack.Decoder(answer).decode
        if not self.handlers:
            raise AgentDefinitionError(
                f"agent {self.cls.__qualname__} handles nothing",
                mend="write `async def on_...(self, turn, message)`",
            )

    def _check_fields(self) -> None:
        needed = [field.name for field in msgspec.structs.fields(self.cls) if field.required]
        if needed:
            raise AgentDefinitionError(
                f"agent {self.cls.__qualname__}: {', '.join(needed)} has no default",
                mend="an agent comes to be with its first message, so every field needs one",
            )

    def _message_decoder(self) -> Callable[[bytes], Message]:
        try:
            return cast("Callable[[bytes], Message]", msgpack.Decoder(Union[tuple(self.handlers)]).decode)  # noqa: UP007
        except TypeError as error:
            raise AgentDefinitionError(
                f"agent {self.cls.__qualname__}: its messages cannot be told apart: {error}",
                mend="give each message class a name of its own",
            ) from error


def registry(classes: Iterable[type[Agent]]) -> dict[str, Kind]:
    """Make classes ready, by kind.

    Raises:
        AgentDefinitionError: one of them is no proper agent, or two share a name.
    """
    kinds: dict[str, Kind] = {}
    for cls in classes:
        kind = Kind(cls)
        if kind.name in kinds:
            raise AgentDefinitionError(
                f"{cls.__qualname__} and {kinds[kind.name].cls.__qualname__} are both named {kind.name!r}",
                mend="set Config.name in one of them",
            )
        kinds[kind.name] = kind
    return kinds


def kind_of(kinds: dict[str, Kind], address: str) -> Kind:
    """Return the kind of an address `kind/id`.

    Raises:
        UnknownKindError: the address has another form, or no such kind is registered.
    """
    name, slash, rest = address.partition("/")
    kind = kinds.get(name)
    if kind is None or not slash or not rest:
        raise UnknownKindError(
            f"{address!r} names no agent here",
            mend=f"addresses are kind/id; the kinds are {', '.join(sorted(kinds))}",
        )
    return kind

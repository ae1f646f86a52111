"""Agent classes made at run time: fields and handlers are put together, then it is a class like any other."""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from lamplighter.runtime.agents.agent import Agent, Message
from lamplighter.runtime.agents.errors import AgentDefinitionError

_WORDS = re.compile(r"[A-Za-z0-9]+")
_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def pascal(name: str) -> str:
    """Return a name as a class's: `find_books` as `FindBooks`."""
    return "".join(word[0].upper() + word[1:] for word in _WORDS.findall(name))


def kebab(name: str) -> str:
    """Return a name as a kind's: `FindBooks` and `find_books` as `find-books`."""
    parts = [part for word in _WORDS.findall(name) for part in _BREAK.split(word)]
    return "-".join(part.lower() for part in parts)


class Making:
    """An agent class that is being put together.

    Args:
        name: of the kind; brought into the form of a kind's name.
        doc: the class's docstring.
    """

    def __init__(self, name: str, *, doc: str = "") -> None:
        self.name = kebab(name)
        self._doc = doc
        self._fields: list[tuple[Any, ...]] = []
        self._handlers: dict[str, Callable[..., Any]] = {}
        self._messages: dict[str, type[Message]] = {}

    def field(self, name: str, hint: Any, maker: Callable[[], Any]) -> None:
        """Add a durable field; `maker` makes its value for an agent that is new."""
        self._fields.append((name, hint, msgspec.field(default_factory=maker)))

    def handler(
        self, name: str, message: type[msgspec.Struct], answer: Any, handler: Callable[..., Any]
    ) -> None:
        """Add a handler `on_NAME(self, turn, message)` for a message."""
        assert issubclass(message, Message), "messages are derived from Message"
        handler.__name__ = f"on_{name}"
        handler.__annotations__ = {"message": message, "return": answer}
        self._handlers[handler.__name__] = handler
        self._messages[message.__name__] = message

    def made(self) -> type[Agent]:
        """Return the class.

        Raises:
            AgentDefinitionError: what was put together is no proper agent.
        """
        config = type("Config", (), {"name": self.name})
        namespace: dict[str, Any] = {"__doc__": self._doc, "Config": config, **self._handlers}
        namespace |= {"messages": self._messages, "message": next(iter(self._messages.values()))}
        try:
            made = msgspec.defstruct(
                pascal(self.name), self._fields, bases=(Agent,), namespace=namespace, eq=False
            )
        except TypeError as error:
            raise AgentDefinitionError(f"{self.name} cannot be made an agent: {error}") from error
        assert issubclass(made, Agent), "it was derived from it"
        return made

"""What comes in from a broker, whichever it is, and what can be wrong with one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lamplighter.model.errors import BackendError
from lamplighter.runtime.agents.agent import Message


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message of a broker.

    Args:
        source: the subject, topic or queue.
        sequence: its number there, from 1; 0 where the broker numbers nothing.
        body: its content.
        key: its key, or its id where the broker has ids instead.
        headers: its headers, as text.
    """

    source: str
    sequence: int
    body: bytes
    key: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


Route = Callable[[Arrival], tuple[str, Message] | None]
"""Says whom a message goes to, and as what; None passes it over. The same for the same message, always."""


class BrokerError(BackendError):
    """A broker, or a stream of it, is not as it must be for its messages to be taken exactly once."""

    code = "broker-unfit"

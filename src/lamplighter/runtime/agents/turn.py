"""A turn: one message to new state and effects, seen from inside a handler.

What a handler asks for is collected here and takes place when the turn commits, or not at all. What it
waits for is handed to the host as a value (`Asked`), by its number within the turn; a replay after a crash
asks for the same again and is given what the journal holds. Runs nothing itself.
"""

import functools
import hashlib
import typing
from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol

from msgspec import msgpack

from lamplighter.model.errors import UserError
from lamplighter.runtime.agents.agent import Message
from lamplighter.runtime.agents.kinds import ENCODE, Kind, kind_of

ASK_TIMEOUT_S = 30.0


class Asked:
    """Something a turn waits for: what, and its number within the turn. Awaited once, in the turn itself."""

    __slots__ = ("digest", "number")

    def __init__(self, number: int, digest: bytes) -> None:
        self.number = number
        self.digest = digest

    def decode(self, packed: bytes) -> Any:
        """Decode what came of it."""
        return msgpack.decode(packed) if packed else None

    def __await__(self) -> Generator["Asked", Any, Any]:
        return (yield self)


class Call(Asked):
    """A function outside the runtime; what it returns is journaled, and not asked for again after a crash."""

    __slots__ = ("args", "function")

    def __init__(self, number: int, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        name = getattr(function, "__qualname__", type(function).__qualname__)
        super().__init__(number, _digest("call", f"{getattr(function, '__module__', '')}.{name}", args))
        self.function = function
        self.args = args

    def decode(self, packed: bytes) -> Any:
        """Decode the result as the type that the function says it returns."""
        return returned(self.function)(packed)


class Ask(Asked):
    """Another agent's answer to a message."""

    __slots__ = ("_decode", "address", "payload", "timeout_s")

    def __init__(
        self, number: int, address: str, payload: bytes, decode: Callable[[bytes], Any], timeout_s: float
    ) -> None:
        super().__init__(number, _digest("ask", address, payload))
        self.address = address
        self.payload = payload
        self._decode = decode
        self.timeout_s = timeout_s

    def decode(self, packed: bytes) -> Any:
        """Decode the answer as the type that the other agent's handler says it returns."""
        return self._decode(packed)


class Sleep(Asked):
    """The passing of time, through a crash as well."""

    __slots__ = ("seconds",)

    def __init__(self, number: int, seconds: float) -> None:
        super().__init__(number, _digest("sleep", "", seconds))
        self.seconds = seconds


class Every(Asked):
    """Several of them at once."""

    __slots__ = ("failures", "parts")

    def __init__(self, parts: Sequence[Asked], *, failures: bool = False) -> None:
        super().__init__(0, b"")
        self.parts = parts
        self.failures = failures


class Grounds(Protocol):
    """What a turn needs to know of where it runs."""

    kinds: dict[str, Kind]
    """Every kind of agent, by name."""

    def number_turn(self) -> int:
        """Take the partition's next turn number."""
        ...


class Effects:
    """What a turn did besides changing the state; only made for a turn that does more than send."""

    __slots__ = ("cancelled", "deleted", "spent", "timers")

    def __init__(self) -> None:
        self.timers: list[tuple[int, float, bytes]] = []
        self.cancelled: list[tuple[int, int]] = []
        self.deleted = False
        self.spent: list[tuple[str, dict[str, float]]] = []


class Turn:
    """What a handler may ask of the runtime, and learn of its turn.

    Attributes:
        address: the agent's own address.
        now: wall time in seconds when the turn began; the same when it is replayed.

    The other attributes are the host's: what the turn has asked for so far.
    """

    __slots__ = ("_grounds", "address", "asked", "effects", "now", "number", "sends")

    def __init__(self, address: str, now: float, grounds: Grounds) -> None:
        self.address = address
        self.now = now
        self._grounds = grounds
        self.number = 0
        self.asked = 0
        self.sends: list[tuple[str, bytes]] | None = None
        self.effects: Effects | None = None

    def send(self, address: str, message: Message) -> None:
        """Send a message to an agent when this turn commits.

        Raises:
            UnknownKindError: the address names no kind that there is here.
        """
        if address.partition("/")[0] not in self._grounds.kinds:
            kind_of(self._grounds.kinds, address)
        if self.sends is None:
            self.sends = [(address, ENCODE(message))]
        else:
            self.sends.append((address, ENCODE(message)))

    def after(self, seconds: float, message: Message) -> str:
        """Send this agent a message once so much time has passed, through crashes as well.

        Wall time decides: a clock that is set forward makes it early by as much, one set back makes it late.

        Returns:
            A name for `cancel`, which may be kept in the state.
        """
        effects = self._more()
        timer = (self.numbered(), len(effects.timers))
        effects.timers.append((timer[1], self.now + seconds, ENCODE(message)))
        return f"{timer[0]}.{timer[1]}"

    def cancel(self, timer: str) -> None:
        """Call off a timer of this agent; one that has gone off, or never was, is passed over."""
        turn, _, which = timer.partition(".")
        if not (turn.isdigit() and which.isdigit()):
            raise UserError(f"{timer!r} is no timer", mend="give what `turn.after` returned")
        self._more().cancelled.append((int(turn), int(which)))

    def delete(self) -> None:
        """Forget this agent's state when the turn commits; its next message begins a new one."""
        self._more().deleted = True

    def spent(self, tenant: str = "", **amounts: float) -> None:
        """Count what this turn has used, such as `tokens=120, cost_usd=0.002`, by kind and tenant.

        For the host's figures (`lamp_agents_spent_tokens_total`); counted once, when the turn commits.
        """
        self._more().spent.append((tenant, amounts))

    def call(self, function: Callable[..., Any], *args: Any) -> Call:
        """Await a function outside the runtime: a coroutine function, or a plain one (in a thread).

        Called at least once, and told its stable key if it has a parameter named `key`; its result is
        journaled before the handler sees it. Arguments and result must be values that can be encoded.

        Raises (when awaited):
            CallFailedError: it raised.
        """
        return Call(self._next(), function, args)

    def ask(self, address: str, message: Message, *, timeout_s: float = ASK_TIMEOUT_S) -> Ask:
        """Await another agent's answer.

        Raises (when awaited):
            AskTimeoutError: no answer within `timeout_s`.
            AskCycleError: that agent waits, directly or not, for this one.
            TurnError: the other agent's turn failed; as the error that it was.
        """
        kind = kind_of(self._grounds.kinds, address)
        decode = kind.answers.get(type(message), msgpack.decode)
        return Ask(self._next(), address, ENCODE(message), decode, timeout_s)

    def sleep(self, seconds: float) -> Sleep:
        """Await the passing of time; other messages to this agent wait meanwhile."""
        return Sleep(self._next(), seconds)

    def every(self, *asked: Asked, failures: bool = False) -> Every:
        """Await several calls, asks or sleeps at once; the results come in their order.

        Args:
            asked: what is waited for.
            failures: one that fails gives its error in its place, and nothing is raised.

        Raises (when awaited):
            LampError: the first of them (in their order) that failed, once all are done.
        """
        return Every(asked, failures=failures)

    def _more(self) -> Effects:
        if self.effects is None:
            self.effects = Effects()
        return self.effects

    def numbered(self) -> int:
        """Return the turn's number in its partition, taken when it is first needed. The host's."""
        if not self.number:
            self.number = self._grounds.number_turn()
        return self.number

    def _next(self) -> int:
        self.asked += 1
        return self.asked


@functools.lru_cache(maxsize=1024)
def returned(function: Callable[..., Any]) -> Callable[[bytes], Any]:
    """Return the decoder of what a function returns, by its annotation if it has a usable one."""
    try:
        hint = typing.get_type_hints(function).get("return", Any)
        return msgpack.Decoder(hint).decode
    except (TypeError, NameError, AttributeError):
        return msgpack.decode


def _digest(what: str, name: str, args: Any) -> bytes:
    """Name what was asked in 8 bytes; a part that cannot be encoded counts by its type alone."""
    told = msgpack.encode((what, name, args), enc_hook=lambda value: type(value).__qualname__)
    return hashlib.blake2b(told, digest_size=8).digest()

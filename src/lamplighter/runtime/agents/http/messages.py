"""What a request asks: messages out of JSON, and how its sender wants to be answered."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Union
from urllib.parse import parse_qs

import msgspec

from lamplighter.runtime.agents.errors import UnknownKindError, UnknownMessageError
from lamplighter.runtime.agents.http.faults import BadRequestError
from lamplighter.runtime.agents.kinds import ENCODE, Kind
from lamplighter.runtime.agents.turn import ASK_TIMEOUT_S

KEY_CHARACTERS_MAX = 256
ID_BYTES_MAX = 512
ITEMS_MAX = 10_000
WAIT_S_MAX = 3600.0


@dataclass(frozen=True, slots=True)
class Asked:
    """How a sender wants to be answered.

    Args:
        key: its `Idempotency-Key`; "" without one.
        later: whether to answer as soon as the message is durable (`Prefer: respond-async`, `?wait=0`).
        wait_s: how long to wait for an answer (`Prefer: wait=S`, `?wait=S`; RFC 7240).
    """

    key: str = ""
    later: bool = False
    wait_s: float = ASK_TIMEOUT_S


class _To(msgspec.Struct):
    to: str


class Reader:
    """Turns bodies into encoded messages for agents of some kinds."""

    def __init__(self, kinds: dict[str, Kind]) -> None:
        self._decoders: dict[str, Callable[[bytes], Any]] = {
            name: msgspec.json.Decoder(Union[tuple(kind.handlers)]).decode  # noqa: UP007
            for name, kind in kinds.items()
        }
        self._known = {
            name: ", ".join(sorted(message.__name__ for message in kind.handlers))
            for name, kind in kinds.items()
        }

    def known(self, kind: str) -> None:
        """Raise UnknownKindError for a kind that there is not here."""
        if kind not in self._decoders:
            known = ", ".join(sorted(self._decoders))
            raise UnknownKindError(f"there is no kind {kind[:100]!r} here", mend=f"the kinds are {known}")

    def single(self, kind: str, name: str, body: bytes) -> tuple[str, bytes]:
        """Return the address and the encoded message of a request's body.

        Raises:
            UnknownMessageError: no handler of the kind takes it, or its fields do not fit.
            BadRequestError: the agent's id is empty or too long.
        """
        if not name or len(name.encode("utf-8", "surrogatepass")) > ID_BYTES_MAX:
            raise BadRequestError(f"an agent's id has 1 to {ID_BYTES_MAX} bytes")
        try:
            return f"{kind}/{name}", ENCODE(self._decoders[kind](body))
        except (msgspec.DecodeError, UnicodeError) as error:
            raise UnknownMessageError(
                f"{kind} cannot read this message: {error}",
                mend=f'it takes {self._known[kind]}, as JSON with that name under "type"',
            ) from error

    def item(self, kind: str, item: bytes) -> tuple[str, bytes]:
        """Return the address and the encoded message of a batch's item. Raises as `single`."""
        try:
            to = msgspec.json.decode(item, type=_To).to
        except (msgspec.DecodeError, UnicodeError) as error:
            raise UnknownMessageError(
                f"this item of a batch names no agent: {error}", mend='give the agent\'s id under "to"'
            ) from error
        return self.single(kind, to, item)


def items_of(body: bytes) -> list[bytes]:
    """Return the items of a batch: a JSON array, or one JSON object a line.

    Raises:
        BadRequestError: it is neither, or has more than ITEMS_MAX items.
    """
    try:
        if body.lstrip()[:1] == b"[":
            items = [bytes(each) for each in msgspec.json.decode(body, type=list[msgspec.Raw])]
        else:
            items = [line for line in body.splitlines() if line.strip()]
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadRequestError(
            f"the batch is no JSON array: {error}", mend='[{"to": "1", "type": ...}, ...]'
        ) from error
    if not 0 < len(items) <= ITEMS_MAX:
        raise BadRequestError(f"a batch has 1 to {ITEMS_MAX} messages, this one {len(items)}")
    return items


def asked_of(scope: Any) -> Asked:
    """Return what a request's headers and query ask for.

    Raises:
        BadRequestError: a key or a wait that there cannot be.
    """
    key, prefers = "", list[str]()
    for name, value in scope["headers"]:
        if name == b"idempotency-key":
            key = value.decode("latin-1").strip().strip('"')
            if not 0 < len(key) <= KEY_CHARACTERS_MAX:
                raise BadRequestError(f"an Idempotency-Key has 1 to {KEY_CHARACTERS_MAX} characters")
        elif name == b"prefer":
            prefers += [each.strip().lower() for each in value.decode("latin-1").split(",")]
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    waits = query.get("wait", [each[5:] for each in prefers if each.startswith("wait=")])
    wait_s = _seconds(waits[-1]) if waits else ASK_TIMEOUT_S
    later = "respond-async" in prefers or wait_s == 0
    return Asked(key, later, ASK_TIMEOUT_S if later else wait_s)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= WAIT_S_MAX:
        raise BadRequestError(f"wait is {text[:40]!r}", mend=f"seconds, from 0 to {WAIT_S_MAX:g}")
    return seconds

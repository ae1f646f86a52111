"""A host's side of single messages: each is its session's only one, and whoever names the session is told.

A caller that was cut off names it again, over another connection or through another process, and is told the
same. Until then what is told goes to every connection that has asked.
"""

from collections.abc import Iterable

from lamplighter.model.errors import LampError
from lamplighter.runtime.agents.host import Host
from lamplighter.runtime.agents.kinds import ENCODE
from lamplighter.runtime.agents.post import ERROR, PENDING
from lamplighter.runtime.agents.release import Release
from lamplighter.runtime.agents.wire import Single, Stream, Told


class Callers:
    """Who waits to be told of which session."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[tuple[Stream, int, bool]]] = {}

    def take(self, host: Host, stream: Stream, singles: Iterable[Single]) -> None:
        """Have a host accept messages; what it refuses is told at once."""
        refused: list[tuple[int, int, bytes]] = []
        for single in singles:
            try:
                host.once(single.address, single.sender, single.payload, answers=single.answers)
            except LampError as error:
                refused.append((single.number, ERROR, ENCODE((error.code, error.message))))
                continue
            waiting = self._waiting.setdefault(single.sender, [])
            waiting[:] = [one for one in waiting if one[0].transport is not None]
            waiting.append((stream, single.number, single.answers))
        if refused:
            stream.write(Told([], [], [], refused))

    def released(self, release: Release) -> None:
        """Tell of what is durable now: that messages are accepted, and their answers."""
        told: dict[Stream, list[tuple[int, int, bytes]]] = {}
        for sender, _ in release.accepted:
            waiting = self._waiting.get(sender, ())
            for stream, number, _ in waiting:
                told.setdefault(stream, []).append((number, PENDING, b""))
            if waiting and not any(answers for *_, answers in waiting):
                del self._waiting[sender]
        for sender, _, _, status, payload in release.answers:
            for stream, number, _ in self._waiting.pop(sender, ()):
                told.setdefault(stream, []).append((number, status, payload))
        for stream, singles in told.items():
            stream.write(Told([], [], [], singles))

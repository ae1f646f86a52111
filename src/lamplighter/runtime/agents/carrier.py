"""What carries links between hosts where unix sockets do not reach.

A carrier may lose, repeat and reorder: links are numbered, and hosts send again what is not acknowledged.
"""

from collections.abc import Callable
from typing import Protocol

from lamplighter.runtime.agents.links import Link, Run
from lamplighter.runtime.agents.wire import Links, Stream, framed

HEAD_BYTES = 64
"""What a run takes besides its parcels, at most; and a frame besides its links."""


class Carrier(Protocol):
    """Brings frames of links from host to host."""

    async def carry(
        self, number: int, hosts: int, took: Callable[[bytes], None], reached: Callable[[int, Stream], None]
    ) -> None:
        """Carry until cancelled.

        Args:
            number: of this host.
            hosts: how many there are.
            took: is given each frame that came for this host.
            reached: is told, for each other host, of a stream to write to it; again after each interruption.
        """
        ...


class Lane(Stream):
    """The way to one other host, as a stream.

    Args:
        send: takes a packed frame.
        bytes_max: how large one may be.
    """

    def __init__(self, send: Callable[[bytes], None], bytes_max: int) -> None:
        super().__init__(lambda _, __: None, lambda _: None)
        self._send = send
        self._bytes_max = bytes_max

    def write(self, value: Links) -> None:
        """Send links, in as many frames as they need."""
        for links in parted(value.links, self._bytes_max):
            self._send(framed(Links(value.host, links))[4:])

    def close(self) -> None:
        """Nothing to close: the carrier is."""


def parted(links: list[Link], bytes_max: int) -> list[list[Link]]:
    """Put links into frames of at most so many bytes (a parcel that is larger than that goes alone)."""
    frames: list[list[Link]] = [[]]
    size = HEAD_BYTES
    for link in links:
        for part in _parts(link, bytes_max):
            weight = _weight(part)
            if frames[-1] and size + weight > bytes_max:
                frames.append([])
                size = HEAD_BYTES
            frames[-1].append(part)
            size += weight
    return frames if frames[-1] else []


def _weight(link: Link) -> int:
    return HEAD_BYTES + (sum(len(parcel) + 5 for parcel in link.parcels) if isinstance(link, Run) else 0)


def _parts(link: Link, bytes_max: int) -> list[Link]:
    """Cut a run that is too large for a frame; its numbers are contiguous."""
    if not isinstance(link, Run) or _weight(link) + HEAD_BYTES <= bytes_max:
        return [link]
    parts: list[Link] = []
    begin, size = 0, 2 * HEAD_BYTES
    for n, parcel in enumerate(link.parcels):
        if n > begin and size + len(parcel) + 5 > bytes_max:
            parts.append(Run(link.to, link.sender, link.first + begin, link.parcels[begin:n]))
            begin, size = n, 2 * HEAD_BYTES
        size += len(parcel) + 5
    parts.append(Run(link.to, link.sender, link.first + begin, link.parcels[begin:]))
    return parts

"""Frames of a carrier: whatever a host sends, no frame is larger than the carrier takes."""

from lamplighter.runtime.agents.carrier import parted
from lamplighter.runtime.agents.links import Link, Run, Taken
from lamplighter.runtime.agents.wire import Links, framed


def test_a_run_is_cut_where_a_frame_is_full() -> None:
    """Its numbers go on in the next frame; nothing is lost, and no frame is too large."""
    run = Run(1, 2, 10, [bytes(100)] * 50)
    frames = parted([run, Taken(2, 1, 7)], 1000)
    runs = [link for frame in frames for link in frame if isinstance(link, Run)]
    assert list(range(10, 60)) == [one.first + n for one in runs for n in range(len(one.parcels))]
    assert max(len(framed(Links(0, frame))) for frame in frames) <= 1000


def test_what_fits_goes_in_one_frame() -> None:
    """Small links are not cut."""
    links: list[Link] = [Run(1, 2, 10, [b"a", b"b"]), Taken(2, 1, 7)]
    assert [links] == parted(links, 1000)


def test_nothing_is_no_frame() -> None:
    """An empty batch sends nothing."""
    assert [] == parted([], 1000)

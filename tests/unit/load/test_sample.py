"""The rules by which a request counts as failed, cut or fine."""

from dataclasses import replace

import pytest
from benchmarks.load.sample import GAVE_UP, Fate, Seen, judge
from benchmarks.load.traffic import Kind

FINE = Seen(Kind.GET, took_s=0.1, waited_s=0.1, status=200, whole=True)
STREAM = replace(FINE, kind=Kind.STREAM, took_s=20.0)
SOCKET = replace(STREAM, kind=Kind.WEBSOCKET, status=101, close_code=1000, closed_by="client")


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        (Fate.OK, FINE),
        (Fate.CONNECT_ERROR, replace(FINE, waited_s=None, connected=False)),
        (Fate.NO_HEADERS, replace(FINE, waited_s=None)),
        (Fate.SERVER_ERROR, replace(FINE, status=503)),
        (Fate.SERVER_ERROR, replace(FINE, status=500, whole=False)),
        (Fate.SLOW, replace(FINE, waited_s=2.1, took_s=2.1)),
        (Fate.SLOW, replace(FINE, took_s=2.1)),
        (Fate.SLOW, replace(FINE, took_s=10.0, whole=False, why=f"{GAVE_UP} waiting")),
        (Fate.CUT, replace(FINE, whole=False, why="reset")),
        (Fate.REJECTED, replace(FINE, status=429)),
        (Fate.SLOW, replace(FINE, status=429, waited_s=2.1)),
        (Fate.OK, STREAM),
        (Fate.SLOW, replace(STREAM, waited_s=2.1)),
        (Fate.CUT, replace(STREAM, whole=False, why="reset")),
        (Fate.CUT, replace(STREAM, whole=False, why=f"{GAVE_UP} waiting")),
        (Fate.OK, SOCKET),
        (Fate.CLOSED, replace(SOCKET, closed_by="server", close_code=1012)),
        (Fate.SERVER_ERROR, replace(SOCKET, closed_by="server", close_code=1011)),
        (Fate.CUT, replace(SOCKET, closed_by="", close_code=None)),
        (Fate.SLOW, replace(SOCKET, gap_s=2.1)),
    ],
)
def test_each_story_has_one_fate(expected: Fate, seen: Seen) -> None:
    """Every way a request can end is judged by the written definitions."""
    assert expected is judge(seen, slow_s=2.0)[0]


def test_failed_is_what_the_definition_names() -> None:
    """Connection errors, missing headers, 5xx and lateness are failures; a cut body is counted apart."""
    assert ["connect-error", "no-headers", "server-error", "slow"] == [fate for fate in Fate if fate.failed]


def test_a_failure_says_why() -> None:
    """The reason names the number that decided."""
    assert "complete after 2.10 s" == judge(replace(FINE, took_s=2.1), slow_s=2.0)[1]

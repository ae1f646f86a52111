"""Values that could never be served are refused; shares become weights."""

import pytest

from lamplighter.targets.local.gateway import Backend, Check, Endpoint, Route, Table, split


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Endpoint("a", 0), "port"),
        (lambda: Endpoint("a", 65_536), "port"),
        (lambda: Endpoint("a", 1, weight=0), "weight"),
        (lambda: Check(path="healthz"), "health path"),
        (lambda: Backend(name="a.b"), "backend name"),
        (lambda: Backend(name="../a"), "backend name"),
        (lambda: Backend(name="a", endpoints=(Endpoint("x", 1), Endpoint("x", 2))), "'x' is there twice"),
        (lambda: Backend(name="a", endpoints=(Endpoint("x", 1), Endpoint("y", 1))), "address"),
        (lambda: Route("search", "a"), "prefix"),
        (lambda: Route("/search/", "a"), "prefix"),
        (lambda: Table(port=1, routes=(Route("/a", "a"),)), "unknown backends: a"),
        (lambda: Table(port=1, backends=(Backend(name="a"), Backend(name="a"))), "'a' is there twice"),
    ],
)
def test_nonsense_is_refused(make: object, what: str) -> None:
    """Each bad value is refused when it is made, and the message names it."""
    with pytest.raises(ValueError, match=what):
        make()  # type: ignore[operator]


def weights(endpoints: tuple[Endpoint, ...], **shares: float) -> list[int]:
    """The weights by which these shares come about."""
    return [endpoint.weight for endpoint in split(endpoints, shares)]


def ends(*releases: str, draining: int = 0) -> tuple[Endpoint, ...]:
    """One endpoint per release named; the last so many drain."""
    last = len(releases) - draining
    return tuple(Endpoint(f"e{n}", 1000 + n, release=r, draining=n >= last) for n, r in enumerate(releases))


def test_share_is_of_the_release_not_of_each_endpoint() -> None:
    """Five percent for one canary beside two is five percent of all requests."""
    assert [4750, 4750, 500] == weights(ends("r1", "r1", "r2"), r1=95, r2=5)


def test_more_canaries_divide_their_share() -> None:
    """Two canaries get half of it each."""
    assert [9500, 250, 250] == weights(ends("r1", "r2", "r2"), r1=0.95, r2=0.05)


def test_draining_endpoints_take_no_part() -> None:
    """An endpoint that drains leaves its part to the others of its release."""
    assert [5000, 5000] == weights(ends("r1", "r2", "r2", draining=1), r1=1, r2=1)[:2]


def test_absent_release_leaves_its_share_to_the_rest() -> None:
    """A share for a release nobody runs changes nothing."""
    assert [10_000] == weights(ends("r1"), r1=95, r2=5)


def test_release_without_share_has_the_least_weight() -> None:
    """Envoy knows no weight of nothing; the least is one in ten thousand."""
    assert [10_000, 1] == weights(ends("r1", "r2"), r1=1)

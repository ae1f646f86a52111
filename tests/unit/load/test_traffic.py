"""What is sent."""

from itertools import islice

import pytest
from benchmarks.load.profile import Stage
from benchmarks.load.traffic import Kind, Traffic, parse_mix

STAGES = (Stage(1, 1),)


def test_same_seed_gives_same_kinds() -> None:
    """The kinds of the requests come from the seed."""
    traffic = Traffic(url="http://localhost", stages=STAGES, mix={Kind.GET: 1, Kind.POST: 1}, seed=5)
    assert list(islice(traffic.kinds(), 300)) == list(islice(traffic.kinds(), 300))


def test_mix_is_kept_on_average() -> None:
    """Three in four requests are GETs when the weights say so."""
    traffic = Traffic(url="http://localhost", stages=STAGES, mix={Kind.GET: 3, Kind.POST: 1})
    assert pytest.approx(0.75, abs=0.02) == list(islice(traffic.kinds(), 8000)).count(Kind.GET) / 8000


def test_path_stands_under_the_urls_own() -> None:
    """A route's prefix in the url comes before the request's path, the number is filled in."""
    traffic = Traffic(url="http://localhost:80/search/", stages=STAGES, paths={Kind.GET: "/ask?q={n}"})
    assert "/search/ask?q=4" == traffic.path(Kind.GET, 4)
    assert "/search/stream?seconds=20" == traffic.path(Kind.STREAM, 4)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "https://localhost"),
        ("url", "localhost:80"),
        ("stages", ()),
        ("mix", {}),
        ("mix", {Kind.GET: 0}),
    ],
)
def test_impossible_traffic_is_refused(field: str, value: object) -> None:
    """Traffic that cannot be sent is refused with the field's name."""
    fields: dict[str, object] = {"url": "http://localhost", "stages": STAGES, field: value}
    with pytest.raises(ValueError, match=field):
        Traffic(**fields)  # type: ignore[arg-type]


def test_mix_is_read_from_text() -> None:
    """A kind without a weight weighs one."""
    assert {Kind.GET: 8.0, Kind.POST_KEYED: 1.0} == parse_mix("get=8,post-key")


def test_unknown_kind_is_named() -> None:
    """An unknown kind is refused with those there are."""
    with pytest.raises(ValueError, match="'put'; known: get, post-key"):
        parse_mix("put=1")

"""What a table becomes, and what of it a change touches."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lamplighter.targets.local.gateway import Backend, Check, Endpoint, Route, Table, render, write

A, B = Endpoint("a", 9001, release="r1"), Endpoint("b", 9002, release="r2")
TABLE = Table(
    port=8080,
    internal_port=8081,
    backends=(Backend(name="search", endpoints=(A, B)), Backend(name="model")),
    routes=(Route("/", "search"), Route("/model", "model")),
)


def changed(after: Table) -> set[str]:
    """The files that differ from those of `TABLE`."""
    old, new = render(TABLE), render(after)
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


def first(**changes: object) -> Table:
    """`TABLE` with its first backend changed."""
    one, *rest = TABLE.backends
    return msgspec.structs.replace(TABLE, backends=(msgspec.structs.replace(one, **changes), *rest))


def resources(table: Table, name: str) -> list[dict[str, Any]]:
    """What a discovery file holds."""
    return json.loads(render(table)[name])["resources"]


@pytest.mark.parametrize(
    ("table", "files"),
    [
        (TABLE, set()),
        (first(endpoints=(A,)), {"eds.search.json"}),
        (first(endpoints=(A, msgspec.structs.replace(B, draining=True))), {"eds.search.json"}),
        (first(endpoints=(A, msgspec.structs.replace(B, weight=7))), {"eds.search.json"}),
        (first(timeout_s=2.0), {"rds.public.json", "rds.internal.json", "cds.json"}),
        (first(retries=5), {"rds.public.json", "rds.internal.json"}),
        (first(max_in_flight=9), {"cds.json"}),
        (first(check=Check(path="/ok")), {"cds.json"}),
        (msgspec.structs.replace(TABLE, routes=()), {"rds.public.json"}),
        (msgspec.structs.replace(TABLE, port=9090), {"bootstrap.json"}),
    ],
)
def test_a_change_touches_only_its_files(table: Table, files: set[str]) -> None:
    """Endpoints, routes, clusters and listeners change apart, since each costs more than the one before."""
    assert files == changed(table)


def test_all_releases_share_one_cluster() -> None:
    """Stable and canary stand in one assignment, with their release in the metadata."""
    [assignment] = resources(TABLE, "eds.search.json")
    [group] = assignment["endpoints"]
    releases = [e["metadata"]["filter_metadata"]["lamplighter"]["release"] for e in group["lb_endpoints"]]
    assert ["r1", "r2"] == releases


def test_last_draining_replica_drops_new_requests() -> None:
    """When all drain the balancer is told to refuse, since it would use them for want of better."""
    draining = tuple(msgspec.structs.replace(e, draining=True) for e in (A, B))
    [assignment] = resources(first(endpoints=draining), "eds.search.json")
    assert 100 == assignment["policy"]["drop_overloads"][0]["drop_percentage"]["numerator"]


def test_longest_prefix_comes_first() -> None:
    """Routes are tried in order, so `/` must not swallow `/model`."""
    [routes] = resources(TABLE, "rds.public.json")
    clusters = [route["route"]["cluster"] for route in routes["virtual_hosts"][0]["routes"]]
    assert ["model"] * 3 + ["search"] * 3 == clusters


def test_only_repeatable_requests_are_repeated_after_a_loss() -> None:
    """Of a prefix's three entries the last, for all other requests, retries only what was not sent."""
    [routes] = resources(TABLE, "rds.internal.json")
    entries = routes["virtual_hosts"][0]["routes"][:3]
    lost = ["reset" in entry["route"]["retry_policy"]["retry_on"].split(",") for entry in entries]
    assert [True, True, False] == lost
    assert "headers" not in entries[2]["match"]


def test_prefix_is_taken_literally() -> None:
    """A dot in a prefix is a dot, not any character."""
    table = msgspec.structs.replace(TABLE, routes=(Route("/v1.0", "search"),))
    [routes] = resources(table, "rds.public.json")
    rewrite = routes["virtual_hosts"][0]["routes"][0]["route"]["regex_rewrite"]
    assert r"^/v1\.0/?" == rewrite["pattern"]["regex"]


def test_paths_stay_inside_the_folder() -> None:
    """No absolute path is rendered: the socket's name has 108 bytes and the folder may be deep."""
    assert not [name for name, text in render(TABLE).items() if '"path": "/' in text]


def test_writing_twice_writes_once(tmp_path: Path) -> None:
    """What stands there already is not written again, so that Envoy is not woken."""
    assert set(render(TABLE)) == set(write(tmp_path, render(TABLE)))
    assert () == write(tmp_path, render(TABLE))


def test_new_cluster_is_written_before_its_routes(tmp_path: Path) -> None:
    """Endpoints, then clusters, then routes: a route never leads to what is not there."""
    order = list(write(tmp_path, render(TABLE)))
    assert order.index("eds.model.json") < order.index("cds.json") < order.index("rds.public.json")


def test_removed_backend_loses_its_route_first(tmp_path: Path) -> None:
    """Routes, then clusters, then the file of its endpoints."""
    write(tmp_path, render(TABLE))
    less = msgspec.structs.replace(TABLE, backends=TABLE.backends[:1], routes=TABLE.routes[:1])
    order = list(write(tmp_path, render(less)))
    assert order.index("rds.public.json") < order.index("cds.json")
    assert not (tmp_path / "eds.model.json").exists()


def test_files_are_replaced_not_rewritten(tmp_path: Path) -> None:
    """A reader that holds the old file still sees it whole: a new one took its name."""
    write(tmp_path, render(TABLE))
    with (tmp_path / "eds.search.json").open() as held:
        write(tmp_path, render(first(endpoints=(A,))))
        assert render(TABLE)["eds.search.json"] == held.read()


def test_torn_file_of_a_crash_is_replaced(tmp_path: Path) -> None:
    """What a crash left beside or in place is overwritten, and nothing stays behind."""
    (tmp_path / ".eds.search.json.new").write_text("{")
    (tmp_path / "eds.search.json").write_text("{")
    write(tmp_path, render(TABLE))
    assert set(render(TABLE)) == {path.name for path in tmp_path.iterdir()}


def test_files_are_for_the_owner_only(tmp_path: Path) -> None:
    """Folder and files are closed to other users."""
    write(tmp_path / "gateway", render(TABLE))
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "gateway").iterdir()}
    assert ({0o600}, 0o700) == (modes, (tmp_path / "gateway").stat().st_mode & 0o777)

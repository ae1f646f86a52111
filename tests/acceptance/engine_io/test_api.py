"""The maintainer's API, asked of a real maintainer over its real socket."""

import itertools
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from tests.acceptance.engine_io.conftest import SYSTEM, Start, ready, until, up

from lamplighter.app.client import SOCKET, Client
from lamplighter.app.reading import entries_from_stores, remembered, verification
from lamplighter.model.errors import UnreachableError, UserError
from lamplighter.model.intents import Down, Rollback


@pytest.fixture
def served(state: Path, start: Start, client: Client) -> subprocess.Popen[str]:
    """A maintainer whose system is up."""
    process = start()
    until(client.running)
    assert client.submit(up()).accepted
    until(lambda: ready(client))
    return process


@pytest.fixture
def openapi(served: subprocess.Popen[str], client: Client) -> dict[str, Any]:
    """The published description of the API."""
    found: dict[str, Any] = json.loads(client.request("GET", "/openapi.json").body)
    return found


def valid(openapi: dict[str, Any], path: str, body: bytes) -> Any:
    """Check a body against the schema that is published for it, and return it."""
    media = openapi["paths"][path]["get"]["responses"]["200"]["content"]
    schema = next(iter(media.values()))["schema"] | {"components": openapi["components"]}
    found = json.loads(body)
    jsonschema.Draft202012Validator(schema).validate(found)
    return found


def test_the_socket_is_this_users_alone(served: subprocess.Popen[str], state: Path) -> None:
    """Mode 0600, in a folder whose path is longer than a socket's address may be."""
    assert 0o600 == stat.S_IMODE((state / SOCKET).stat().st_mode)
    assert len(os.fsencode(state / SOCKET)) > 108


def test_status_tells_the_whole_system(openapi: dict[str, Any], client: Client) -> None:
    """Workloads, replicas, sources, holder and head are there, and as published."""
    found = valid(openapi, "/v1/status", client.request("GET", "/v1/status").body)
    seen = client.status()
    assert (SYSTEM, True, 3, 3) == (seen.system, seen.live, len(seen.replicas), seen.workloads[0].ready)
    assert {"processes", "health", "traffic", "machine"} == set(found["sources"])
    assert ("alive", 1) == (seen.holder.standing, seen.holder.token) if seen.holder else False


def test_the_ledger_is_read_page_by_page(openapi: dict[str, Any], client: Client) -> None:
    """Pages follow on each other and are as published."""
    page = valid(openapi, "/v1/ledger", client.request("GET", "/v1/ledger?since=2&limit=3").body)
    assert ([2, 3, 4], 5) == ([each["number"] for each in page["entries"]], page["following"])
    numbers = [each.number for each in client.entries()]
    assert list(range(1, len(numbers) + 1)) == numbers


def test_an_action_is_explained(openapi: dict[str, Any], client: Client) -> None:
    """Decision, outcome and closing of an action come together."""
    name = next(each.subject for each in client.entries() if each.kind == "decision")
    valid(openapi, "/v1/actions/{action}", client.request("GET", f"/v1/actions/{name}").body)
    seen = client.explanation(name)
    assert ("closed", "verified") == (seen.standing, seen.closing.body["result"] if seen.closing else "")
    assert ["accepted"] == [each.body["state"] for each in seen.outcomes]


def test_an_unknown_action_is_not_found(served: subprocess.Popen[str], client: Client) -> None:
    """404, with a code and a mend."""
    assert 404 == client.request("GET", "/v1/actions/a-none").status
    with pytest.raises(UserError, match="no action has the id"):
        client.explanation("a-none")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"type":"up","id":"i"}', "system"),
        (b'{"type":"up","id":"i","system":{"name":7}}', "$.system.name"),
        (b'{"type":"sideways","id":"i"}', "sideways"),
        (b'{"type":"approve","id":"i"}', "action"),
        (b"not json", "malformed"),
    ],
)
def test_a_malformed_intent_is_refused_with_its_place(
    served: subprocess.Popen[str], client: Client, body: bytes, place: str
) -> None:
    """422 names what was expected where; nothing reaches the loop."""
    answer = client.request("POST", "/v1/intents", body)
    assert 422 == answer.status
    assert place in json.loads(answer.body)["faults"][0]["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/intents", 405),
        ("GET", "/v1/ledger?since=x", 422),
        ("GET", "/v1/logs/nobody", 404),
        ("GET", "/v1/ledger?since=-1", 422),
    ],
)
def test_a_bad_request_is_told_in_the_same_form(
    served: subprocess.Popen[str], client: Client, method: str, path: str, status: int
) -> None:
    """Every refusal is a list of faults with a code."""
    answer = client.request(method, path)
    assert status == answer.status
    assert json.loads(answer.body)["faults"][0]["code"]


def test_the_same_intent_twice_is_one(served: subprocess.Popen[str], start: Start, client: Client) -> None:
    """An intent that is sent again gets the answer that it had, even from the next maintainer."""
    wanted = Rollback(id="i-back", workload="search")
    first = client.submit(wanted)
    served.kill()
    served.wait()
    start()
    until(client.running)
    assert first == client.submit(wanted)
    assert 1 == [each.subject for each in client.entries()].count("i-back")


def test_an_intent_need_not_be_waited_for(served: subprocess.Popen[str], client: Client) -> None:
    """Without a wait it is received (202) and taken up by the loop."""
    answer = client.request("POST", "/v1/intents", msgspec.json.encode(up("i-later")))
    assert (202, {"intent": "i-later"}) == (answer.status, json.loads(answer.body))
    until(lambda: "i-later" in [each.subject for each in client.entries()])


def test_events_begin_where_they_are_asked_to_and_go_on(openapi: dict[str, Any], client: Client) -> None:
    """Lines of the ledger come as events, old ones first, then new ones as they happen."""
    events = client.lines("/v1/events?since=2")
    first = list(itertools.islice(events, 4))
    assert [b"id: 2", b"event: started", b""] == [first[0], first[1], first[3]]
    valid(openapi, "/v1/events", first[2].removeprefix(b"data: "))
    client.submit(up("i-event"))
    assert any(b'"subject":"i-event"' in each for each in events)


def test_logs_come_line_by_line(openapi: dict[str, Any], client: Client) -> None:
    """What the target streams is passed on, with what was asked for."""
    lines = client.request("GET", "/v1/logs/search?tail=2&follow=true").body.splitlines()
    assert ["line 0, follow True", "line 1, follow True"] == [
        valid(openapi, "/v1/logs/{workload}", each)["text"] for each in lines
    ]


def test_a_second_maintainer_is_refused(served: subprocess.Popen[str], start: Start) -> None:
    """It ends with 6 and names the holder; the first one goes on."""
    second = start()
    assert 6 == second.wait(timeout=20)
    assert second.stderr is not None
    assert f"held by pid {served.pid}" in second.stderr.read()


def test_a_maintainer_that_was_superseded_ends(
    served: subprocess.Popen[str], state: Path, client: Client
) -> None:
    """One that finds a newer lease stops with 6, without another action."""
    subprocess.run(
        [sys.executable, "-c", SUPERSEDE, str(state / "ledger.sqlite")], check=True, capture_output=True
    )
    assert 6 == served.wait(timeout=10)


SUPERSEDE = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=5)
file.execute("UPDATE leases SET token = token + 1")
"""


def test_sigterm_detaches(served: subprocess.Popen[str], state: Path) -> None:
    """It ends with 0, replicas stay, the head is anchored, the socket is gone, reads still work."""
    served.send_signal(signal.SIGTERM)
    assert 0 == served.wait(timeout=10)
    with pytest.raises(UnreachableError):
        Client(state).status()
    check, (_, seen, _) = verification(state), remembered(state)
    assert (check.entries, None) == (check.anchored, check.damage)
    assert 3 == len(seen.inputs.facts.replicas if seen else ())
    assert ["stopped"] == [each.kind for each in entries_from_stores(state, since=check.entries)]


def test_taking_down_ends_the_maintainer(served: subprocess.Popen[str], client: Client) -> None:
    """Once everything is down there is nothing to maintain; it ends with 0."""
    assert client.submit(Down(id="i-down")).accepted
    assert 0 == served.wait(timeout=20)


def test_a_maintainer_of_a_system_that_is_down_waits_for_orders(
    served: subprocess.Popen[str], start: Start, client: Client
) -> None:
    """Started again after `down`, it does not end by itself, and brings the system up when asked."""
    client.submit(Down(id="i-down"))
    served.wait(timeout=20)
    start()
    until(client.running)
    client.submit(up("i-again"))
    until(lambda: ready(client))


def test_without_a_maintainer_the_client_says_so(client: Client) -> None:
    """No socket is a clear error, not a traceback."""
    with pytest.raises(UnreachableError, match="no maintainer runs"):
        client.status()
    assert not client.running()

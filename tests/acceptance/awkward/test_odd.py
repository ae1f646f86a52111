"""Programs that bind late, ignore signals, leak, crash, flood their logs and leave children behind."""

import http.client
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.awkward.conftest import ODD, SECRET, odd_rig, spec
from tests.acceptance.faults.rig import Rig, Traffic, until

FAILED = 7


def ask(rig: Rig, path: str) -> tuple[int, bytes]:
    """Ask the gateway; return the status and what came of the body."""
    connection = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=60)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        try:
            return answer.status, answer.read()
        except http.client.IncompleteRead as part:
            return answer.status, part.partial
    finally:
        connection.close()


@pytest.mark.parametrize("service", [each for each in ODD if each not in ("brief", "crash")])
def test_it_serves_all_the_same(odd: Rig, service: str) -> None:
    """Late, deaf, closed, with children, writing, greedy or leaking: it is up and answers."""
    status, body = ask(odd, f"/{service}")
    assert (200, True) == (status, body.decode().startswith(service))


def test_a_leak_is_replaced_before_it_hurts(odd: Rig) -> None:
    """Over its memory a successor serves first; of steady requests not one fails."""
    sent = Traffic(odd.port, per_s=20, path="/leak")
    first = {name for name in odd.replicas() if name.startswith("leak")}
    until(lambda: not first & odd.replicas().keys(), "it is replaced")
    time.sleep(1)
    assert {"ok"} == set(sent.end())


def test_what_ends_with_success_is_started_again(odd: Rig) -> None:
    """Exit code 0 of a service is an end like any other; it is replaced, and the code is kept."""
    until(lambda: "brief ended with code 0" in _dead(odd), "it ended")
    until(lambda: any(name.startswith("brief") for name in odd.replicas()), "and is there again")


def _dead(odd: Rig) -> str:
    ends = (each for each in odd.seen().replicas if each.exit and each.exit.code is not None)
    return " ".join(f"{each.workload} ended with code {each.exit and each.exit.code}" for each in ends)


def test_random_crashes_are_survived(odd: Rig) -> None:
    """An abort at any moment is told by its signal, and a successor comes."""
    until(lambda: any(each.exit and each.exit.signal == 6 for each in odd.seen().replicas), "it crashed")
    until(lambda: any(name.startswith("crash") for name in odd.replicas()), "and is there again")


@pytest.mark.parametrize("kind", ["lines", "one", "binary"])
def test_a_hundred_megabytes_of_log(odd: Rig, kind: str) -> None:
    """In seconds, as lines, as one line without an end, as bytes: bounded on disk, readable, memory flat."""
    before = memory_kib(odd)
    assert 200 == ask(odd, f"/plain/log?bytes={100 << 20}&kind={kind}")[0]
    until(lambda: size(odd) <= 17 << 20, "the log is cut")
    ran = odd.lamp("logs", "plain", "--tail", "3")
    assert (0, True) == (ran.code, 0 < len(ran.out) < 4 << 20)
    assert memory_kib(odd) - before < 4 << 10


def size(odd: Rig) -> int:
    """Return what the largest logs of one replica of a service take."""
    found = (odd.home / "logs").glob("plain-*.log")
    return max(sum(part.stat().st_size for part in each.parent.glob(f"{each.name}*")) for each in found)


def memory_kib(odd: Rig) -> int:
    """Return the supervisor's resident memory."""
    lines = Path(f"/proc/{odd.supervisor()}/status").read_text().splitlines()
    return next(int(each.split()[1]) for each in lines if each.startswith("VmRSS"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/headers?bytes=30000", b"plain-1"),
        ("/chunked?n=5000", b"chunk" * 5000),
        ("/late?s=3", b"plain-1"),
        ("/cut", b"half"),
    ],
)
def test_odd_answers_pass_as_they_are(odd: Rig, path: str, expected: bytes) -> None:
    """Large headers, chunks, a late answer and half an answer reach the caller; nothing is made up."""
    assert (200, expected) == ask(odd, f"/plain{path}")


def test_a_secret_that_a_program_prints_is_masked(odd: Rig) -> None:
    """The log keeps what was written, for its user alone; `lamp logs` shows the secret's name."""
    ran = odd.lamp("logs", "plain", "--json", "--tail", "10000")
    assert SECRET not in ran.out
    log = odd.home / "logs" / "plain-1.log"
    assert 0o600 == log.stat().st_mode & 0o777
    log.write_text(f"my key is {SECRET}!\n")
    assert "my key is [secret key]!" in odd.lamp("logs", "plain").out


def test_requests_cut_by_the_caller_leave_nothing_behind(odd: Rig) -> None:
    """A hundred connections that are opened, half used and dropped: the next request is answered."""
    for _ in range(100):
        connection = http.client.HTTPConnection("127.0.0.1", odd.port, timeout=10)
        connection.putrequest("POST", "/plain")
        connection.putheader("content-length", "1000")
        connection.endheaders(b"half")
        connection.close()
    assert 200 == ask(odd, "/plain")[0]
    until(lambda: _in_flight(odd, "plain") == 0, "none is in flight")


def _in_flight(odd: Rig, name: str) -> int | None:
    loads = {each.name: each.load for each in odd.seen().workloads}
    load = loads[name]
    return load.in_flight if load else None


def test_a_program_reads_what_it_was_given(odd: Rig) -> None:
    """What it writes into its working folder is not part of its release, and harms no other."""
    with urllib.request.urlopen(f"http://127.0.0.1:{odd.port}/writer", timeout=10) as answer:
        assert 200 == answer.status
    written = list((odd.home / "releases" / "trees").glob("*/written.txt"))
    assert 1 == len(written)
    assert not (odd.folder / "written.txt").exists()


def test_down_leaves_nothing_of_them(odd: Rig) -> None:
    """One that ignores SIGTERM is killed at its deadline, children without marks end too; nothing is left."""
    odd.up("--wait", "100", KEY=SECRET)
    assert 4 == len([each for each in odd.processes() if each.lineage or _is(each.marks, "spawn")])
    ran = odd.lamp("down")
    assert (0, [], 0) == (ran.code, odd.processes(), odd.supervisor())
    said = (odd.home / "logs" / "supervisor.log").read_text()
    assert '"replica":"deaf-1","code":null,"signal":9' in said


def _is(marks: dict[str, str], workload: str) -> bool:
    return marks.get("LAMP_WORKLOAD") == workload


@pytest.mark.heavy
def test_an_app_that_binds_after_twenty_seconds(tmp_path: Path) -> None:
    """Within its start timeout it is waited for: started once, not replaced, then it serves."""
    with odd_rig(tmp_path, spec({"late": "late 20"}, start="60s")) as rig:
        rig.up("--wait", "100", KEY=SECRET)
        with urllib.request.urlopen(f"http://127.0.0.1:{rig.port}/late", timeout=10) as answer:
            assert 200 == answer.status
        assert ["late-1"] == sorted(rig.ready())
        assert 0 == rig.lamp("down").code


NEVER = {
    "later": "late 60",
    "elsewhere": "elsewhere",
    "daemon": "daemon",
    "exit": "exit 0",
    "wrong": "exit 3",
}


@pytest.fixture
def never(tmp_path: Path) -> Iterator[Rig]:
    """A system of services that never come up."""
    with odd_rig(tmp_path, spec(NEVER, start="2s")) as rig:
        yield rig


def test_what_never_comes_up_is_bounded(never: Rig) -> None:
    """Bound too late or elsewhere, gone to the background, ended at once: said, tried a few times, over."""
    ran = never.lamp("up", "-d", "-y", "--wait", "12", KEY=SECRET)
    assert FAILED == ran.code, ran.out
    said = never.lamp("ledger").out
    for words in ("later-1 is not ready", "elsewhere-1 is not ready", "daemon-1 ended with code 0"):
        assert words in said
    assert "wrong-1 ended with code 3" in said
    started = (never.home / "logs" / "supervisor.log").read_text().count("replica-started")
    assert started <= 6 * len(NEVER)
    assert (0, []) == (never.lamp("down").code, never.processes())

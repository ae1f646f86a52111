"""The measuring of peers, with a small one whose cost is known: a child that computes for each message."""

import dataclasses
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.agents.peers import (
    PEERS,
    AbsentError,
    Measured,
    Peer,
    PeerFailedError,
    compare,
    counting,
    environments,
)
from benchmarks.agents.peers.peer import measured
from benchmarks.agents.peers.stage import staged
from benchmarks.report import Options

BURNT_S = 0.03

PROGRAM = f'''
import subprocess, sys

CHILD = """
import os, signal, sys, time
os.setsid()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
seen = 0
for line in sys.stdin:
    until = time.process_time() + float(line)
    while time.process_time() < until:
        pass
    seen += 1
    print(seen, flush=True)
signal.pause()  # whoever started it is gone, and it lives on
"""

class Program:
    rest_s = 0.0
    lost = 0

    def __init__(self):
        self.forms = {{"sequential": (1, self.send)}}
        self.seen = 0

    async def start(self, folder):
        self.child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=-1, stdout=-1, text=True)

    async def make(self, agents):
        pass

    async def handled(self):
        return self.seen - self.lost

    async def stop(self):
        self.child.stdin.close()

    async def send(self, agents, text):
        print({BURNT_S}, file=self.child.stdin, flush=True)
        self.seen = int(self.child.stdout.readline())
'''
NO_SUCH_PIN = f"lamplighter-has-no-such-peer==1.0 --hash=sha256:{64 * '0'}"
LOSING = PROGRAM.replace("lost = 0", "lost = 1")
BROKEN = "raise RuntimeError('no such server')"


def _peer(folder: Path, text: str) -> Peer:
    (folder / "small.py").write_text(text, encoding="utf-8")
    words = {"what": "", "durable": "", "buys": "", "lacks": ""}
    counts = {"factor": 1.0, "messages": 20, "agents": 2, "client_apart": True}
    return Peer(name="small", program="small", requires=(), held=("sequential",), **words, **counts)


def _measured(folder: Path, text: str, messages: int) -> Measured:
    peer = _peer(folder, text)
    with staged(Path(sys.executable), "small", {"PYTHONPATH": str(folder)}, folder) as stage:
        return measured(peer, stage, messages, 2, 1)


def test_what_a_child_computes_is_the_peers_and_not_the_clients(tmp_path: Path) -> None:
    """A message costs the peer what its process computes for it; the client is a process apart."""
    form = _measured(tmp_path, PROGRAM, 20).forms["sequential"]
    assert BURNT_S * 1e6 == pytest.approx(form.cpu_us, rel=0.3)
    assert form.client_us < form.cpu_us / 2
    assert form.p50_s >= BURNT_S * 0.9


def test_a_peer_that_loses_a_message_gives_no_figure(tmp_path: Path) -> None:
    """What the agents counted must be what was sent."""
    with pytest.raises(PeerFailedError, match="was sent 6 messages and counted 5"):
        _measured(tmp_path, LOSING, 5)


def test_a_peer_that_does_not_start_says_why(tmp_path: Path) -> None:
    """The error has the end of what the peer said."""
    with pytest.raises(PeerFailedError, match="no such server"):
        _measured(tmp_path, BROKEN, 5)


def test_nothing_of_a_peer_is_left(tmp_path: Path) -> None:
    """A child with a session of its own that ignores SIGTERM has ended when the run has."""
    (tmp_path / "small.py").write_text(PROGRAM, encoding="utf-8")
    with staged(Path(sys.executable), "small", {"PYTHONPATH": str(tmp_path)}, tmp_path) as stage:
        stage.answer(10)
        known = counting.identities(counting.tree(stage.pid))
    assert 2 == len(known)
    assert [] == [each for each in known if counting.still(each)]
    assert ["small.py"] == [each.name for each in tmp_path.iterdir() if each.is_file()]


def test_time_of_a_child_that_ended_still_counts() -> None:
    """A tree's processor time does not go down when one of its processes ends."""
    burn = f"import time\nwhile time.process_time() < {10 * BURNT_S}: pass"
    run = f"subprocess.run([sys.executable, '-c', {burn!r}])"
    code = f"import subprocess, sys, time\n{run}\nprint(flush=True)\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as root:
        assert root.stdout is not None
        root.stdout.readline()
        used = counting.usage(root.pid)
        root.send_signal(signal.SIGKILL)
    assert 1 == len(used.processes)
    assert used.below_s >= 9 * BURNT_S


def test_a_peer_that_cannot_be_installed_is_absent_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What uv said comes with it, and no half environment counts as made the next time."""
    (tmp_path / "small.txt").write_text(NO_SUCH_PIN, encoding="utf-8")
    monkeypatch.setattr(environments, "VERSIONS", tmp_path)
    monkeypatch.setenv("UV_OFFLINE", "1")
    for _ in range(2):
        with pytest.raises(AbsentError, match="lamplighter-has-no-such-peer"):
            environments.made("small", tmp_path / "cache")


@pytest.mark.parametrize("name", PEERS)
def test_each_peer_is_pinned_and_says_what_it_buys(name: str) -> None:
    """Each has a file of pinned versions that names no index, a held form, and both sides in words."""
    text = (environments.VERSIONS / f"{name}.txt").read_text(encoding="utf-8")
    peer = PEERS[name]
    assert "://" not in text
    assert "--hash=sha256:" in text
    assert environments.versions_of(name)
    assert peer.buys
    assert peer.lacks
    assert set(peer.held) <= {"sequential", "pipelined"}


@pytest.mark.heavy
@pytest.mark.parametrize("name", PEERS)
def test_a_real_peer_counts_all_that_it_was_sent(name: str) -> None:
    """The real thing is installed, started, sent messages in each form, and stopped."""
    try:
        PEERS[name].install()
    except AbsentError as error:
        pytest.skip(str(error))
    run = PEERS[name].run(40, 2)
    assert {"sequential", "pipelined"} <= set(run.forms)
    assert all(form.wall_s > 0 for form in run.forms.values())


def test_ours_stands_beside_each_peer_and_an_absent_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many times less ours takes is a figure with its bound; of what is absent, unknown with a reason."""
    small = dataclasses.replace(_peer(tmp_path, PROGRAM), settings={"PYTHONPATH": str(tmp_path)})
    (tmp_path / "small.txt").touch()
    (tmp_path / "gone.txt").write_text(NO_SUCH_PIN, encoding="utf-8")
    monkeypatch.setattr(environments, "VERSIONS", tmp_path)
    monkeypatch.setenv("UV_OFFLINE", "1")
    peers = [small, dataclasses.replace(small, name="gone", factor=2)]
    found = compare(Options(quick=True), lambda: BURNT_S * 1e5, peers, cache=tmp_path / "c", scratch=tmp_path)
    assert 10 == pytest.approx(found.figures["small_times"] or 0, rel=0.3)
    assert found.figures["small_times"] == found.figures["small_sequential_times"]
    assert ["gone_times"] == found.missed()
    assert "lamplighter-has-no-such-peer" in found.parts["peer_gone"]["absent"]

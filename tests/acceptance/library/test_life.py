"""How a copy of the example starts, shows what it is, and ends."""

import http.client
import json
import signal
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

STREAM = "/stream?q=open+a+file&seconds=2&k=4"


def memory_mb(pid: int) -> float:
    """Resident set of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1000


def cpu_s(pid: int) -> float:
    """Processor time that a process has used, in seconds (proc(5): fields 14 and 15, in ticks of 10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_what_a_start_and_a_question_cost(start: Any, tmp_path: Path) -> None:
    """Prints start, memory and processor time, cold and from the cache; far-off limits are a safety net."""
    for name in ("cold", "cached"):
        began = time.monotonic()
        server = start(LIBRARY_CACHE=str(tmp_path))
        health = server.wait_until_loaded()
        start_s, used = time.monotonic() - began, cpu_s(server.process.pid)
        for _ in range(300):
            server.request("/ask?q=how+do+I+parse+json")
        ask_ms = (cpu_s(server.process.pid) - used) / 300 * 1000
        rss = memory_mb(server.process.pid)
        cost = f"load {health['loaded_ms']} ms, cpu {used:.2f} s, {rss:.0f} MB, {ask_ms:.2f} ms a question"
        sys.stdout.write(f"\n{name}: start {start_s:.2f} s, {cost}\n")
        assert (name == "cached") == health["from_cache"]
        assert (start_s < 30, rss < 90, ask_ms < 20) == (True, True, True)


def test_copies_that_start_together_build_once(start: Any, tmp_path: Path) -> None:
    """Of three with one cache, one builds and two wait for it."""
    servers = [start(LIBRARY_CACHE=str(tmp_path)) for _ in range(3)]
    assert [False, True, True] == sorted(server.wait_until_loaded()["from_cache"] for server in servers)
    assert 1 == len(list(tmp_path.glob("*.index")))


def test_another_release_shows(start: Any) -> None:
    """Banner and release of a copy are in its answers."""
    server = start(LIBRARY_LANG="cy", LAMP_RELEASE="r2")
    server.wait_until_loaded()
    answer = server.request("/ask?q=zip")[1]
    assert ("Gofyn i'r llyfrgell", "r2") == (answer["banner"], answer["release"])


def test_until_the_index_is_loaded_it_is_not_healthy(start: Any) -> None:
    """A copy that still loads answers 503 to health checks and to questions."""
    server = start(LIBRARY_START_S="2")
    seen = set()
    while 200 not in seen:
        with suppress(ConnectionRefusedError):
            seen.add(server.request("/healthz")[0])
        time.sleep(0.02)
    assert {503, 200} == seen
    assert server.request("/healthz")[1]["loaded_ms"] >= 2000


def test_a_wrong_variable_ends_the_start_with_its_name(start: Any) -> None:
    """No traceback: one line that names the variable and what it can be."""
    server = start(LIBRARY_THINK_MS="soon")
    assert 0 != server.process.wait(timeout=20)
    output = server.log.read_text()
    assert ("LIBRARY_THINK_MS is 'soon'" in output, "Traceback" in output) == (True, False)


def test_at_sigterm_what_is_in_flight_is_finished(start: Any) -> None:
    """A slow answer and a stream that have begun come to their end before the process does."""
    server = start(LIBRARY_THINK_MS="700")
    server.wait_until_loaded()
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(server.request, "/ask?q=zip")
        streamed = pool.submit(_stream, server.port)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        assert 200 == asked.result()[0]
        assert ["answer"] * 4 + ["done"] == streamed.result()
    assert server.process.wait(timeout=10) in (0, -signal.SIGTERM)


def _stream(port: int) -> list[str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", STREAM)
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]


def test_at_sigterm_a_websocket_gets_its_close_code(start: Any) -> None:
    """The caller is told that the service restarts (1012), so that it comes back."""
    server = start()
    server.wait_until_loaded()
    with connect(f"ws://127.0.0.1:{server.port}/ws") as talk:
        talk.send("zip")
        assert "zip" == json.loads(talk.recv(timeout=10))["question"]
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            talk.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code in (1012, 1001)


def test_a_caller_who_leaves_a_stream_does_not_hold_the_end_up(start: Any) -> None:
    """A stream of a minute whose caller is gone does not keep the process."""
    server = start()
    server.wait_until_loaded()
    with socket.create_connection(("127.0.0.1", server.port)) as caller:
        caller.sendall(b"GET /stream?q=open&seconds=60&k=50 HTTP/1.1\r\nHost: library\r\n\r\n")
        caller.recv(1000)
    time.sleep(0.2)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=10) in (0, -signal.SIGTERM)

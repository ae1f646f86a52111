"""What callers see while replicas come, go, share and drain, and what `up` is told of a port."""

import asyncio
import http.server
import os
import signal
import sys
import threading
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
import websockets
from tests.acceptance.local.site import Site, find, free_port, on_a_site
from tests.acceptance.local.test_life_and_death import get
from tests.acceptance.small_disk import on_a_small_disk

from lamplighter.model.errors import EnvironmentFault


async def asked(site: Site, times: int) -> Counter[str]:
    """Ask many times and count who answered."""

    def ask() -> Counter[str]:
        return Counter(str(get(site)["replica"]) for _ in range(times))

    return await asyncio.to_thread(ask)


@on_a_site
async def test_shares_are_kept_whatever_the_counts(site: Site) -> None:
    """A release with a quarter of the traffic gets a quarter, be it of one replica or of two."""
    (old,) = await site.serving()
    new_release = site.release("--start", "0")
    new = await site.start(new_release, 2)
    old_release = (await site.replica(old)).release
    await site.shift(**{old_release: 0.75, new_release: 0.25})
    await site.until(lambda facts: all(find(facts, each).ready for each in new))
    answered = await asked(site, 400)
    assert 0.68 < answered[old] / 400 < 0.82
    assert {old_release: 0.75, new_release: 0.25} == (await site.facts()).shares["web"]


@on_a_site
async def test_a_release_without_a_share_gets_nothing_and_is_checked(site: Site) -> None:
    """A share of nothing is no request at all, yet the replica's health is known."""
    (old,) = await site.serving()
    new_release = site.release("--start", "0")
    await site.shift(**{(await site.replica(old)).release: 1.0, new_release: 0.0})
    (new,) = await site.start(new_release)
    await site.until(lambda facts: find(facts, new).ready is True)
    assert {old: 200} == await asked(site, 200)


@on_a_site
async def test_a_stream_is_not_cut_by_a_drain(site: Site) -> None:
    """A response that streams for two seconds arrives whole from a replica told to stop at its start."""
    (web,) = await site.serving(1, "--abrupt")
    stream = asyncio.create_task(asyncio.to_thread(_lines, site, "/stream?s=2"))
    await site.until(lambda facts: find(facts, web).in_flight == 1)
    await site.stop(web)
    lines = await stream
    assert (b"tick", b"}") == (lines[0], lines[-1][-1:])
    await site.exited(web)


@on_a_site
async def test_a_websocket_is_closed_with_a_code_after_the_drain(site: Site) -> None:
    """At the drain's deadline the server says goodbye (1012, service restart); nothing is just cut."""
    (web,) = await site.serving()
    async with websockets.connect(f"ws://127.0.0.1:{site.port}/") as socket:
        await socket.send("hello")
        assert "hello" == await socket.recv()
        await site.stop(web, drain_s=0.5)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
    assert 1012 == closed.value.rcvd.code
    assert signal.SIGKILL != (await site.exited(web)).exit.signal


@on_a_site
async def test_no_request_fails_when_one_of_two_is_killed(site: Site) -> None:
    """Requests under way on a killed replica are answered by the other."""
    one, two = await site.serving(2)
    waiting = [asyncio.create_task(asyncio.to_thread(get, site, "/slow?s=1")) for _ in range(4)]
    await site.until(lambda facts: sum(each.in_flight or 0 for each in facts.replicas) == 4)
    os.kill((await site.replica(one)).pid, signal.SIGKILL)
    assert {two} <= {str(each["replica"]) for each in await asyncio.gather(*waiting)} <= {one, two}


@on_a_site
async def test_load_is_what_was_asked_since(site: Site) -> None:
    """Rate and latency are of the time between two observations."""
    await site.serving()
    await asyncio.sleep(0.2)
    before = await site.facts()
    await asked(site, 50)
    await asyncio.sleep(0.2)
    after = await site.facts()
    load = after.loads["web"]
    assert 45 <= load.rate_per_s * (after.at - before.at) <= 55
    assert (0.0, True) == (load.errors_per_s, 0 < load.latency_p50_s <= load.latency_p99_s < 1)


@on_a_site
async def test_a_taken_port_is_refused_by_name(site: Site) -> None:
    """Configure is refused, and `require` tells who has the port and which one is free."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        port = other.server_address[1]
        outcome = await site.configured(port)
        assert ("refused", "port-taken") == (outcome.state, outcome.code)
        assert f"process {os.getpid()}" in outcome.detail
        with pytest.raises(EnvironmentFault) as fault:
            await site.target.require(site.system(port))
        assert ("port-taken", 4) == (fault.value.code, fault.value.exit_code)
        other.shutdown()
    await site.target.require(site.system(port))


@on_a_site
async def test_its_own_port_is_not_taken(site: Site) -> None:
    """A system that has its port may be configured again, and nothing is cut by it."""
    (web,) = await site.serving()
    gateway = (await site.observed()).gateway.pid
    await site.target.require(site.system())
    assert "done" == (await site.configured()).state
    assert (gateway, web) == (
        (await site.observed()).gateway.pid,
        (await asyncio.to_thread(get, site))["replica"],
    )


@on_a_site
async def test_another_port_takes_another_listener(site: Site) -> None:
    """A system whose port changes answers on the new one."""
    await site.serving()
    site.port = free_port()
    await site.configured()
    await site.until(lambda facts: not facts.sources["health"].fault)
    for _ in range(100):
        try:
            assert "replica" in await asyncio.to_thread(get, site)
        except OSError:
            await asyncio.sleep(0.03)
        else:
            return
    raise AssertionError("no answer on the new port")


@on_a_site
async def test_logs_are_read_and_followed(site: Site) -> None:
    """The last lines come first, then what is written later."""
    (web,) = await site.serving()
    place = site.folder / "logs" / f"{web}.log"
    place.write_text("one\ntwo\nthree\n")
    lines = site.target.logs("web", follow=True, tail=2)
    assert ["two", "three"] == [(await anext(lines)).text for _ in range(2)]
    with place.open("a") as file:
        file.write("four\n")
    assert ("four", web) == _pair(await anext(lines))
    await lines.aclose()


def test_a_full_disk_does_not_stop_traffic(tmp_path: Path) -> None:
    """With no byte left a dead replica is still replaced and answers; what cannot be written is said."""
    story = (sys.executable, "-m", "tests.acceptance.local.full_disk", tmp_path)
    ran = on_a_small_disk(tmp_path, "6m", *story)
    assert (0, "") == (ran.returncode, ran.stderr)


def _pair(line: object) -> tuple[str, str]:
    return line.text, line.replica


def _lines(site: Site, path: str) -> list[bytes]:
    with urllib.request.urlopen(f"http://127.0.0.1:{site.port}{path}", timeout=30) as answer:
        return answer.read().splitlines()

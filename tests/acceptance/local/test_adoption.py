"""The supervisor and the gateway are killed; what runs goes on, and is taken up as it is."""

import asyncio
import contextlib
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator

from tests.acceptance.local.site import Site, find, on_a_site
from tests.acceptance.local.test_life_and_death import get

from lamplighter.adapters.clock import SystemClock
from lamplighter.model.actions import Scale
from lamplighter.model.facts import PROCESSES, Facts, Phase
from lamplighter.targets.local import target
from lamplighter.targets.local.supervisor.processes import Identity, boot_id, identify


async def kill_supervisor(site: Site) -> int:
    """SIGKILL the supervisor, wait until it is gone, and return its pid."""
    pid = await site.supervisor_pid()
    descriptor = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(select.select, [descriptor], [], [])
    os.close(descriptor)
    return pid


@contextlib.asynccontextmanager
async def maintained(site: Site) -> AsyncIterator[None]:
    """Keep a supervisor running the way the maintainer does: by listening to its hints."""

    async def listen() -> None:
        async for _ in site.target.hints():
            pass

    listening = asyncio.create_task(listen())
    try:
        yield
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


def pids(facts: Facts) -> dict[str, int | None]:
    """Return the pid of each replica."""
    return {each.id: each.pid for each in facts.replicas}


@on_a_site
async def test_a_successor_adopts_within_two_seconds(site: Site) -> None:
    """Twenty times killed, the supervisor has a successor each time that has the same children."""
    await site.serving(2)
    before, gateway = pids(await site.facts()), (await site.observed()).gateway.pid
    slowest = 0.0
    async with maintained(site):
        for _ in range(20):
            old = await kill_supervisor(site)
            started = time.monotonic()
            await site.until(lambda facts: not facts.sources["processes"].fault)
            slowest = max(slowest, time.monotonic() - started)
            assert old != await site.supervisor_pid()
    assert (before, gateway) == (pids(await site.facts()), (await site.observed()).gateway.pid)
    assert slowest < 2.0
    assert 3 == len(site.processes())


@on_a_site
async def test_while_no_supervisor_lives_nothing_is_known_and_traffic_goes_on(site: Site) -> None:
    """Processes are a silent source, replicas unknown though ready, and requests are answered."""
    (web,) = await site.serving()
    await kill_supervisor(site)
    facts = await site.facts()
    assert (Phase.UNKNOWN, True) == (find(facts, web).phase, find(facts, web).ready)
    assert "does not answer" in facts.sources["processes"].fault
    assert web == (await asyncio.to_thread(get, site))["replica"]


@on_a_site
async def test_a_death_that_nobody_saw_is_found(site: Site) -> None:
    """A replica that ended while no supervisor lived is gone for the next, of a cause not known."""
    (web,) = await site.serving()
    pid = (await site.replica(web)).pid
    await kill_supervisor(site)
    os.kill(pid, signal.SIGKILL)
    await site.shift()
    end = (await site.exited(web)).exit
    assert (None, None) == (end.code, end.signal)
    assert "it ended while no supervisor watched" == end.cause.partition(";")[0]


@on_a_site
async def test_with_its_state_lost_a_successor_finds_its_children(site: Site) -> None:
    """Replicas and gateway are found again by their marks, with the ports that they have."""
    await site.serving(2)
    before, gateway = await site.observed(), pids(await site.facts())
    await kill_supervisor(site)
    (site.folder / "supervisor" / "state.json").unlink()
    await site.configured()
    after = await site.observed()
    assert gateway == pids(await site.facts())
    assert (before.gateway.pid, before.gateway.internal_port) == (
        after.gateway.pid,
        after.gateway.internal_port,
    )
    assert 200 == (await asyncio.to_thread(status, site))


@on_a_site
async def test_torn_state_is_taken_for_none(site: Site) -> None:
    """Half a state file is not believed; what lives is found again."""
    await site.serving(2)
    before = pids(await site.facts())
    await kill_supervisor(site)
    state = site.folder / "supervisor" / "state.json"
    state.write_bytes(state.read_bytes()[:-40])
    await site.configured()
    assert before == pids(await site.facts())


@on_a_site
async def test_the_fence_outlives_the_state(site: Site) -> None:
    """With the state lost, an older token is refused all the same."""
    await site.configured()
    site.token = 5
    await site.shift()
    await kill_supervisor(site)
    (site.folder / "supervisor" / "state.json").unlink()
    site.token = 4
    outcome = await site.shift()
    site.token = 5
    assert "fenced" == outcome.code


@on_a_site
async def test_two_supervisors_are_one(site: Site) -> None:
    """Five started at once leave one, and the others say that it is there."""
    folder = site.folder
    command = [sys.executable, "-m", "lamplighter.targets.local.supervisor", str(folder), "trial"]
    started = [await asyncio.create_subprocess_exec(*command) for _ in range(5)]
    codes = sorted([await each.wait() for each in started])
    assert [0, 3, 3, 3, 3] == codes
    await site.until(lambda facts: not facts.sources["processes"].fault)


@on_a_site
async def test_a_drain_goes_on_under_the_successor(site: Site) -> None:
    """A replica that was draining when the supervisor died ends once its requests are answered."""
    (web,) = await site.serving()
    asked = asyncio.create_task(asyncio.to_thread(get, site, "/slow?s=2"))
    await site.until(lambda facts: find(facts, web).in_flight == 1)
    await site.stop(web)
    await kill_supervisor(site)
    async with maintained(site):
        assert web == (await asked)["replica"]
        await site.exited(web)


@on_a_site
async def test_a_reused_pid_is_not_a_replica(site: Site) -> None:
    """A record whose pid belongs to another process by now is of a replica that is gone."""
    (web,) = await site.serving()
    real = (await site.replica(web)).pid
    await kill_supervisor(site)
    os.kill(real, signal.SIGKILL)
    other = sleeper()
    forge(site, web, Identity(other.pid, 1, boot_id()))
    await site.shift()
    await site.exited(web)
    await site.dismantle()
    assert None is other.poll()
    other.kill()
    other.wait()


@on_a_site
async def test_a_zombie_is_not_a_replica(site: Site) -> None:
    """A record whose process has ended and was not reaped is of a replica that is gone."""
    (web,) = await site.serving()
    real = (await site.replica(web)).pid
    await kill_supervisor(site)
    os.kill(real, signal.SIGKILL)
    zombie = sleeper()
    forge(site, web, identify(zombie.pid))
    zombie.kill()
    await asyncio.sleep(0.1)
    await site.shift()
    await site.exited(web)
    zombie.wait()


@on_a_site
async def test_another_boot_left_nothing_alive(site: Site) -> None:
    """Records of an earlier boot are of replicas that are gone, whatever their pids are now."""
    (web,) = await site.serving()
    await kill_supervisor(site)
    for each in site.processes():
        os.kill(each.pid, signal.SIGKILL)
    change(site, lambda state: state | {"boot": "an-earlier-one"})
    await site.shift()
    assert "the machine was restarted" == (await site.exited(web)).exit.cause.partition(";")[0]


@on_a_site
async def test_the_gateway_comes_back_on_its_port(site: Site) -> None:
    """Killed, the gateway answers again on the same port within a second, at the best of six."""
    await site.serving()
    took_s: list[float] = []
    while len(took_s) < 6 and min(took_s, default=1.0) >= 1.0:
        await site.until(lambda facts: all(each.ready for each in facts.replicas))
        os.kill((await site.observed()).gateway.pid, signal.SIGKILL)
        started = time.monotonic()
        while await asyncio.to_thread(status, site) != 200:
            assert time.monotonic() - started < 30.0
        took_s.append(time.monotonic() - started)
    assert min(took_s) < 1.0, took_s
    assert len(took_s) == (await site.observed()).gateway.restarts


@on_a_site
async def test_an_intent_that_was_not_carried_out_is_taken_up_by_its_repeat(site: Site) -> None:
    """A supervisor that died before the start leaves a replica that the same action starts again."""
    await site.configured()
    release = site.release()
    await kill_supervisor(site)
    intended = {"id": "web-9", "workload": "web", "release": release, "port": 20_777, "started_at": 1.0}
    change(site, lambda state: state | {"replicas": {"web-9": intended}})
    await site.act(Scale(workload="web", release=release, replicas=1, starts=("web-9",)))
    facts = await site.until(lambda facts: bool(find(facts, "web-9").ready))
    assert Phase.RUNNING is find(facts, "web-9").phase


def sleeper() -> "subprocess.Popen[bytes]":
    """Start a process that is none of the site's."""
    return subprocess.Popen(["sleep", "60"])


def status(site: Site) -> int:
    """Return the status of a request, 0 if it was not answered."""
    try:
        get(site, timeout_s=1.0)
    except (OSError, ValueError) as error:
        return getattr(error, "code", 0)
    return 200


def forge(site: Site, replica: str, identity: Identity) -> None:
    """Put another process into a replica's record."""
    record = {"pid": identity.pid, "started": identity.started, "boot": identity.boot}
    change(
        site, lambda state: state | {"replicas": {replica: state["replicas"][replica] | {"identity": record}}}
    )


def change(site: Site, to: object) -> None:
    """Change the supervisor's state while none lives."""
    place = site.folder / "supervisor" / "state.json"
    state = json.loads(place.read_bytes().partition(b"\n")[2])
    body = json.dumps(to(state)).encode()
    place.write_bytes(hashlib.blake2b(body, digest_size=16).hexdigest().encode() + b"\n" + body)


@on_a_site
async def test_a_hung_supervisor_is_replaced(site: Site) -> None:
    """One that lives and answers nothing is silent first, then killed; a successor adopts its children."""
    await site.serving(2)
    before, hung = pids(await site.facts()), await site.supervisor_pid()
    os.kill(hung, signal.SIGSTOP)
    site.clock = Slipped()
    site.target = site.new_target()
    async with maintained(site):
        silent = await site.facts()
        site.clock.ahead_s = target.HUNG_S + 1
        await site.facts()
        after = await site.until(lambda facts: not facts.sources[PROCESSES].fault)
    assert (True, before) == (bool(silent.sources[PROCESSES].fault), pids(after))
    assert hung != await site.supervisor_pid()


class Slipped(SystemClock):
    """A time line that can be moved on, so that a test need not wait."""

    ahead_s = 0.0

    def now(self) -> float:
        """Return seconds, moved on."""
        return super().now() + self.ahead_s

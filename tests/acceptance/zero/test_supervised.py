"""At zero under a real supervisor: held with no maintainer, over a kill, on the way to zero and back."""

import asyncio
import os
import random
import select
import signal
import time

from msgspec.structs import replace
from tests.acceptance.gateway.rig import Answer, ask, failed
from tests.acceptance.local.site import Site, on_a_site

from lamplighter.model.actions import Configure
from lamplighter.model.facts import Phase
from lamplighter.model.system import Health, Range, System

START_TIMEOUT_S = 20.0
TRANSITIONS = 5


def sleeper(site: Site, start_timeout_s: float = START_TIMEOUT_S) -> System:
    """Return the site's system, its service allowed to go to zero."""
    plain = site.system()
    health = Health(path="/", start_timeout_s=start_timeout_s)
    web = replace(plain.services["web"], replicas=Range(min=0, max=2), health=health)
    return replace(plain, services={"web": web})


async def asleep(site: Site, *, start_timeout_s: float = START_TIMEOUT_S) -> str:
    """Configure the gateway; return a release of which nothing runs."""
    await site.act(Configure(system=sleeper(site, start_timeout_s)))
    await site.until(lambda facts: bool(facts.configured))
    await listening(site)
    return site.release()


async def listening(site: Site) -> None:
    """Wait until the gateway takes connections."""
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return
    raise AssertionError("the gateway does not listen")


def asking(site: Site, count: int) -> list["asyncio.Task[Answer]"]:
    """Begin so many requests."""
    return [asyncio.create_task(ask(site.port, "/", patience_s=50.0)) for _ in range(count)]


async def held(site: Site, count: int) -> None:
    """Wait until the facts say that so many requests wait."""
    await site.until(lambda facts: facts.loads["web"].queued == count)


def kill(pid: int) -> None:
    """SIGKILL a process, and wait until it is gone."""
    handle = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [], 10)
    finally:
        os.close(handle)


async def succeeded(site: Site) -> None:
    """Kill the supervisor, and have another."""
    kill(await site.supervisor_pid())
    await site.target._client.ensure()


@on_a_site
async def test_waiting_requests_are_a_load(site: Site) -> None:
    """The facts count them, and a start lets them all go on."""
    release = await asleep(site)
    asked = asking(site, 100)
    await held(site, 100)
    await site.start(release)
    assert [] == failed(await asyncio.gather(*asked))


@on_a_site
async def test_with_no_maintainer_the_reason_is_said(site: Site) -> None:
    """Nobody watches, so nobody starts it; each is told so at the deadline."""
    await asleep(site, start_timeout_s=1.0)
    answers = await asyncio.gather(*asking(site, 10))
    assert {(503, "not-started")} == {(each.status, each.reason) for each in answers}
    assert b"no maintainer is running (lamp up)" in answers[0].body


@on_a_site
async def test_held_requests_outlive_the_supervisor(site: Site) -> None:
    """Its successor holds the same ones, and a start lets them go on."""
    release = await asleep(site)
    asked = asking(site, 100)
    await held(site, 100)
    await succeeded(site)
    await held(site, 100)
    await site.start(release)
    assert [] == failed(await asyncio.gather(*asked))


@on_a_site
async def test_held_requests_wait_for_the_next_replica(site: Site) -> None:
    """One that crashes at its first start loses nobody a request."""
    release = await asleep(site)
    asked = asking(site, 50)
    await held(site, 50)
    (first,) = await site.start(release)
    os.kill((await site.replica(first)).pid or 0, signal.SIGKILL)
    await site.exited(first)
    await site.start(release)
    assert [] == failed(await asyncio.gather(*asked))


@on_a_site
async def test_an_awake_service_stays_so_over_a_kill_of_the_supervisor(site: Site) -> None:
    """Its requests go straight on while there is no activator."""
    release = await asleep(site)
    asked = asking(site, 1)
    await held(site, 1)
    await site.start(release)
    await asyncio.gather(*asked)
    await asyncio.sleep(0.3)
    kill(await site.supervisor_pid())
    began = time.monotonic()
    answers = await asyncio.gather(*asking(site, 20))
    assert ([], True) == (failed(answers), time.monotonic() - began < 60)
    await site.target._client.ensure()


@on_a_site
async def test_no_request_is_lost_on_the_way_to_zero_and_back(site: Site) -> None:
    """Requests at random moments while the last replica goes and another comes, again and again."""
    release, draw = await asleep(site), random.Random(1)  # noqa: S311 - moments, no secrets
    answers: list[Answer] = []
    for _ in range(TRANSITIONS):
        (one,) = await site.start(release)
        await site.until(lambda facts, one=one: any(e.id == one and e.ready for e in facts.replicas))
        stopping = asyncio.create_task(site.stop(one))
        asked = []
        for _ in range(20):
            await asyncio.sleep(draw.random() * 0.05)
            asked += asking(site, 1)
        await stopping
        (other,) = await site.start(release)
        answers += await asyncio.gather(*asked)
        await site.stop(other)
        await site.until(lambda facts: all(each.phase is Phase.EXITED for each in facts.replicas))
    assert ([], 20 * TRANSITIONS) == (failed(answers), len(answers))

"""A supervisor of another installation, or of a newer version: succeeded, or left alone."""

import asyncio
import contextlib
import hashlib
import os
import signal
from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from tests.acceptance.local.site import Site, on_a_site
from tests.acceptance.local.test_adoption import kill_supervisor
from tests.acceptance.local.test_life_and_death import get

from lamplighter.model.actions import Configure
from lamplighter.model.errors import EnvironmentFault
from lamplighter.model.system import Range
from lamplighter.model.system import Scale as AutoScale
from lamplighter.targets.local import client
from lamplighter.targets.local.gateway.files import BOOTSTRAP


@contextlib.contextmanager
def another_installation() -> Iterator[None]:
    """Be another installation than the one that the supervisor was started from."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "mark", lambda: "another")
        yield


@on_a_site
async def test_a_supervisor_of_another_installation_is_succeeded(site: Site) -> None:
    """It ends and its successor has the same replica and gateway; the same installation leaves it alone."""
    (name,) = await site.serving()
    before, was = await site.observed(), await site.replica(name)
    await site.new_target()._client.ensure()
    assert before.pid == (await site.observed()).pid
    with another_installation():
        await site.new_target()._client.ensure()
    after = await site.observed()
    assert (True, before.gateway.pid) == (before.pid != after.pid, after.gateway.pid)
    assert (was.pid, was.release) == ((await site.replica(name)).pid, (await site.replica(name)).release)


@on_a_site
async def test_what_is_asked_during_a_succession_is_answered_by_the_successor(site: Site) -> None:
    """Looking while a supervisor is succeeded waits for the one that comes, and is not told of silence."""
    await site.serving()
    site.target = site.new_target()
    with another_installation():
        seen = await asyncio.gather(site.target._client.ensure(), *(site.facts() for _ in range(20)))
    assert {""} == {each.sources["processes"].fault for each in seen[1:]}


@on_a_site
async def test_state_of_a_newer_version_is_left_alone(site: Site) -> None:
    """A supervisor does not take up a state of a form that it does not know; the fault has a mend."""
    (name,) = await site.serving()
    await kill_supervisor(site)
    place = site.folder / "supervisor" / "state.json"
    kept = place.read_bytes()
    body = kept.partition(b"\n")[2].replace(b'"version":1', b'"version":99')
    newer = hashlib.blake2b(body, digest_size=16).hexdigest().encode() + b"\n" + body
    place.write_bytes(newer)
    with pytest.raises(EnvironmentFault) as caught:
        await site.new_target()._client.ensure()
    assert ("store-newer", True, newer) == (caught.value.code, bool(caught.value.mend), place.read_bytes())
    place.write_bytes(kept)
    await site.target._client.ensure()
    assert (await site.replica(name)).live


@on_a_site
async def test_a_bootstrap_of_another_version_waits_for_the_gateways_next_start(site: Site) -> None:
    """The gateway that runs goes on as it was started; the one that follows it is as this version says."""
    await site.serving()
    place = site.folder / "gateway" / BOOTSTRAP
    now, was = place.read_bytes(), place.read_bytes().replace(b'"gateway"', b'"gateway-of-before"')
    place.write_bytes(was)
    before = (await site.observed()).gateway.pid
    await kill_supervisor(site)
    await site.target._client.ensure()
    assert (before, was) == ((await site.observed()).gateway.pid, place.read_bytes())
    os.kill(before or 0, signal.SIGKILL)
    for _ in range(100):
        await asyncio.sleep(0.05)
        with contextlib.suppress(OSError):
            await asyncio.to_thread(get, site)
            break
    assert (now, True) == (place.read_bytes(), before != (await site.observed()).gateway.pid)


@on_a_site
async def test_a_gateway_that_cannot_hold_requests_is_started_again_to_hold_them(site: Site) -> None:
    """One that was started by a version without holding is replaced when a service may go to zero."""
    await site.serving()
    place = site.folder / "gateway" / BOOTSTRAP
    was = place.read_bytes().replace(b"ext_authz", b"ext_nothing")
    place.write_bytes(was)
    before = (await site.observed()).gateway.pid
    await site.configured()
    assert (before, was) == ((await site.observed()).gateway.pid, place.read_bytes())
    plain = site.system()
    web = replace(plain.services["web"], replicas=Range(min=0, max=1), scale=AutoScale())
    await site.act(Configure(system=replace(plain, services={"web": web})))
    assert b"ext_authz" in place.read_bytes()
    for _ in range(100):
        await asyncio.sleep(0.05)
        if (await site.observed()).gateway.pid not in (before, None):
            return
    raise AssertionError("it was not started again")

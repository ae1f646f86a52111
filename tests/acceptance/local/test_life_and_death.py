"""Replicas and how they end, with the real supervisor, the real gateway and real processes."""

import asyncio
import json
import os
import signal
import socket
import time
import urllib.request
from pathlib import Path

import pytest
from tests.acceptance.local.site import SECRET, Site, find, on_a_site

from lamplighter.model.actions import Dismantle, Outcome, Scale
from lamplighter.model.errors import EnvironmentFault
from lamplighter.model.facts import Phase
from lamplighter.runtime.resilience import BreakerSettings, Settings
from lamplighter.runtime.resilience.settings import from_environment
from lamplighter.targets.local.client import Client


def get(site: Site, path: str = "/", timeout_s: float = 10.0) -> dict[str, object]:
    """Ask the system through its gateway."""
    with urllib.request.urlopen(f"http://127.0.0.1:{site.port}{path}", timeout=timeout_s) as answer:
        return json.loads(answer.read().splitlines()[-1])


def command_line(pid: int) -> str:
    """Return a process's arguments."""
    return Path(f"/proc/{pid}/cmdline").read_text()


@on_a_site
async def test_a_replica_answers_through_the_gateway(site: Site) -> None:
    """What is started is in rotation as soon as its checks pass, and says who it is."""
    (web,) = await site.serving()
    assert web == (await asyncio.to_thread(get, site))["replica"]


@on_a_site
async def test_a_killed_replica_is_proven_gone(site: Site) -> None:
    """SIGKILL shows as an exit with its signal, and the gateway no longer lists the replica."""
    (web,) = await site.serving()
    os.kill((await site.replica(web)).pid, signal.SIGKILL)
    gone = await site.exited(web)
    cause, _, _ = gone.exit.cause.partition(";")  # a look that came before tells its memory too
    assert (signal.SIGKILL, "ended by SIGKILL", False) == (gone.exit.signal, cause, gone.ready)
    assert (
        []
        == json.loads((site.folder / "gateway" / "eds.web.json").read_text())["resources"][0]["endpoints"][0][
            "lb_endpoints"
        ]
    )


@on_a_site
async def test_a_death_is_hinted(site: Site) -> None:
    """Whoever watches hears of an exit without asking: within a tenth of a second, at the best of six."""
    names, took_s = await site.serving(6), []
    pids = {name: (await site.replica(name)).pid for name in names}
    hints = site.target.hints()
    assert "supervisor" == await anext(hints)
    for name in names:
        os.kill(pids[name], signal.SIGKILL)
        started = time.monotonic()
        while await anext(hints) != name:
            pass
        took_s.append(time.monotonic() - started)
    assert min(took_s) < 0.1, took_s


@on_a_site
async def test_a_drained_replica_finishes_what_it_has(site: Site) -> None:
    """A request in flight gets its answer even from a replica that would drop it at SIGTERM."""
    (web,) = await site.serving(1, "--abrupt")
    asked = asyncio.create_task(asyncio.to_thread(get, site, "/slow?s=1.5"))
    await site.until(lambda facts: find(facts, web).in_flight == 1)
    await site.stop(web)
    assert Phase.DRAINING is (await site.replica(web)).phase
    assert web == (await asked)["replica"]
    await site.exited(web)


@on_a_site
async def test_a_drain_ends_at_its_deadline(site: Site) -> None:
    """A request that outlasts the drain does not hold the replica longer than drain and grace."""
    (web,) = await site.serving()
    asked = asyncio.create_task(asyncio.to_thread(get, site, "/slow?s=120", 120))
    await site.until(lambda facts: find(facts, web).in_flight == 1)
    started = time.monotonic()
    await site.stop(web, drain_s=0.5)
    await site.exited(web)
    assert time.monotonic() - started < 30
    await asyncio.gather(asked, return_exceptions=True)


@on_a_site
async def test_one_that_ignores_sigterm_is_killed(site: Site) -> None:
    """SIGKILL follows SIGTERM after the grace."""
    await site.configured()
    (web,) = await site.start(site.release("--ignore-term"))
    assert "deaf" == (await anext(site.target.logs("web", follow=True, tail=1))).text
    await site.stop(web, drain_s=0)
    assert signal.SIGKILL == (await site.exited(web)).exit.signal


@on_a_site
async def test_a_double_forked_child_ends_with_its_replica(site: Site) -> None:
    """What left the session and the parent is found by its marks and ended too."""
    (web,) = await site.serving(1, "--spawn")
    assert 2 == len([each for each in site.processes() if each.marks.get("LAMP_REPLICA") == web])
    os.kill((await site.replica(web)).pid, signal.SIGKILL)
    await site.exited(web)
    for _ in range(150):
        if not [each for each in site.processes() if each.marks.get("LAMP_REPLICA") == web]:
            return
        await asyncio.sleep(0.03)
    raise AssertionError(site.processes())


@on_a_site
async def test_a_command_that_is_not_there_is_an_exit_with_its_cause(site: Site) -> None:
    """A replica that cannot be started is gone at once, and says why."""
    await site.configured()
    store = site.folder / "releases" / "trees" / "t"
    release = site.release()
    (store / "app.py").unlink()
    store.rmdir()
    (web,) = await site.start(release)
    assert "could not be started" in (await site.exited(web)).exit.cause


@on_a_site
async def test_the_same_action_twice_is_the_action_once(site: Site) -> None:
    """A repeat under the same id starts nothing, nor does the same replica id under another."""
    await site.configured()
    action = Scale(workload="web", release=site.release(), replicas=1, starts=("web-9",))
    outcomes = [await site.act(action, action_id=name) for name in ("x", "x", "y")]
    assert ["accepted"] * 3 == [each.state for each in outcomes]
    assert 1 == len([each for each in site.processes() if "LAMP_REPLICA" in each.marks])


@on_a_site
async def test_an_older_token_is_fenced(site: Site) -> None:
    """A maintainer that was superseded is refused, and nothing is started for it."""
    await site.configured()
    site.token = 7
    await site.shift(r1=1.0)
    site.token = 6
    outcome = await site.shift(r2=1.0)
    site.token = 7
    assert ("refused", "fenced") == (outcome.state, outcome.code)
    assert {"web": {"r1": 1.0}} == (await site.facts()).shares


@on_a_site
async def test_a_secret_reaches_its_replica_and_nothing_else(site: Site) -> None:
    """The value is in the replica's environment; not in any file of the state folder, nor in any argv."""
    await site.configured()
    (web,) = await site.start(site.release(secrets=("key",)))
    await site.until(lambda facts: find(facts, web).ready)
    assert SECRET == (await asyncio.to_thread(get, site, "/?name=KEY"))["value"]
    files = [each for each in site.folder.rglob("*") if each.is_file()]
    assert [] == [each.name for each in files if SECRET.encode() in each.read_bytes()]
    assert [] == [each.pid for each in site.processes() if SECRET in command_line(each.pid)]


@on_a_site
async def test_callers_find_a_service_by_its_url(site: Site) -> None:
    """LAMP_URL_<NAME> leads to the service over the gateway's internal listener."""
    await site.serving()
    url = (await asyncio.to_thread(get, site, "/?name=LAMP_URL_WEB"))["value"]
    with await asyncio.to_thread(urllib.request.urlopen, f"{url}/", timeout=5) as answer:
        assert 200 == answer.status


@on_a_site
async def test_callers_learn_how_to_protect_their_calls(site: Site) -> None:
    """LAMP_RESILIENCE has what the spec says of each service, so that a policy of its name obeys it."""
    await site.serving()
    told = (await asyncio.to_thread(get, site, "/?name=LAMP_RESILIENCE"))["value"]
    assert {"web": Settings(breaker=BreakerSettings())} == from_environment({"LAMP_RESILIENCE": told})


@on_a_site
async def test_a_replacement_is_started_and_the_rest_ended(site: Site) -> None:
    """Replace starts the new replica and ends a hung one that is still there."""
    (web,) = await site.serving()
    os.kill((await site.replica(web)).pid, signal.SIGSTOP)
    new = await site.replace(site.release(), web)
    facts = await site.until(lambda facts: bool(find(facts, new).ready))
    assert Phase.RUNNING is find(facts, new).phase
    assert signal.SIGKILL == (await site.exited(web)).exit.signal


@on_a_site
async def test_output_does_not_fill_the_disk(site: Site) -> None:
    """A hundred megabytes written leave a bounded log, of which the newest lines can be read."""
    (web,) = await site.serving()
    for _ in range(4):
        await asyncio.to_thread(get, site, f"/log?bytes={25 << 20}", 60)
        await asyncio.sleep(1.2)
    used = sum(each.stat().st_size for each in (site.folder / "logs").glob(f"{web}*"))
    assert used < 48 << 20
    last = [each.text async for each in site.target.logs("web", follow=False, tail=2)]
    assert ["x" * 1023] * 2 == last


@on_a_site
async def test_dismantling_leaves_logs_and_nothing_else(site: Site) -> None:
    """No process, no listening port, no socket and no record is left; what was written is."""
    (web,) = await site.serving(1, "--spawn")
    await site.dismantle()
    assert [] == site.processes()
    assert [] == [each for each in site.folder.rglob("*") if each.is_socket() or each.name == "state.json"]
    assert (site.folder / "logs" / f"{web}.log").exists()
    facts = await site.facts()
    assert ((), "", {}) == (
        facts.replicas,
        facts.configured,
        {k: v.fault for k, v in facts.sources.items() if v.fault},
    )


@on_a_site
async def test_dismantling_nothing_is_done(site: Site) -> None:
    """Where nothing is, dismantling is done at once and starts nothing."""
    assert "done" == (await site.act(Dismantle(system="trial"))).state
    assert not (site.folder / "supervisor").exists()


@on_a_site
async def test_a_state_folder_that_cannot_be_written_is_refused(site: Site) -> None:
    """Nothing is started, and the variable that moves the folder is named."""
    site.folder.rmdir()
    site.folder.touch()
    with pytest.raises(EnvironmentFault) as fault:
        await site.target._client.ensure()
    assert ("state-not-writable", True) == (fault.value.code, "LAMP_STATE_DIR" in fault.value.mend)
    assert ("refused", "state-not-writable") == _said(await site.configured())


@on_a_site
async def test_a_long_path_is_no_obstacle(site: Site) -> None:
    """Sockets work in a state folder whose path is longer than a socket's may be."""
    site.folder = site.folder / ("deep" * 40)
    site.folder.mkdir()
    site.target = site.new_target()
    (web,) = await site.serving()
    assert web == (await asyncio.to_thread(get, site))["replica"]


def _said(outcome: Outcome) -> tuple[str, str]:
    return outcome.state, outcome.code


@on_a_site
async def test_own_gateway_is_no_stranger_on_the_port(site: Site) -> None:
    """While the supervisor is silent, the port that this system's gateway has is not called taken."""
    await site.serving()
    socket_file = site.folder / "supervisor" / "supervisor.sock"
    socket_file.rename(socket_file.with_suffix(".away"))
    try:
        await site.target.require(site.system())
    finally:
        socket_file.with_suffix(".away").rename(socket_file)


@on_a_site
async def test_a_stranger_on_the_socket_is_let_live(site: Site) -> None:
    """Only the supervisor is ended as one that hangs; whatever took its socket's place is not."""
    await site.serving()
    pid = await site.supervisor_pid()
    socket_file = site.folder / "supervisor" / "supervisor.sock"
    socket_file.rename(socket_file.with_suffix(".away"))
    place = os.open(socket_file.parent, os.O_PATH)  # the path may be longer than a socket's may be
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.bind(f"/proc/self/fd/{place}/{socket_file.name}")
        stranger.listen()
        ended = await Client(site.folder, "trial").end_hung()
    os.close(place)
    assert pid == ended

"""Pools: who is to have what, who lives, what a folder says, and hosts that share one."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.agents.crew import Answer, Ask, Critic, Draft, Reader, looped

from lamplighter.model.errors import EnvironmentFault, UserError
from lamplighter.runtime import Agent, AgentClient, Message, Pool, Runtime, Turn
from lamplighter.runtime.agents.kinds import ENCODE
from lamplighter.runtime.agents.pool import layout
from lamplighter.runtime.agents.pool.loading import loaded
from lamplighter.runtime.agents.pool.placement import placed
from lamplighter.runtime.agents.pool.presence import Presence, living
from lamplighter.runtime.agents.process import main
from lamplighter.runtime.agents.store import Folder, Store, TakenError

NAMES = st.sets(st.text("abcdef0123456789", min_size=1, max_size=6), min_size=1, max_size=20)
SHARDS = st.integers(1, 64)


@given(SHARDS, NAMES)
def test_every_shard_is_dealt_once_and_evenly(shards: int, hosts: set[str]) -> None:
    """Each shard has one host, and no two hosts differ by more than one."""
    dealt = placed(shards, hosts)
    sizes = {len(found) for found in dealt.values()}
    assert sorted(sum(dealt.values(), ())) == list(range(shards))
    assert max(sizes) - min(sizes) <= 1


@given(SHARDS, NAMES)
def test_everybody_works_out_the_same(shards: int, hosts: set[str]) -> None:
    """The order in which hosts are named does not matter."""
    assert placed(shards, sorted(hosts)) == placed(shards, sorted(hosts, reverse=True))


@given(SHARDS, NAMES)
def test_a_host_that_goes_moves_little_more_than_its_share(shards: int, hosts: set[str]) -> None:
    """What moves when one of several goes is at most three times what it had, and one for each other."""
    before = placed(shards, hosts)
    gone = min(hosts)
    after = placed(shards, hosts - {gone})
    moved = sum(len(set(before[host]) - set(found)) for host, found in after.items())
    assert moved <= 2 * len(before[gone]) + len(hosts)


def test_without_hosts_nothing_is_dealt() -> None:
    """Nobody has a shard when nobody lives."""
    assert {} == placed(4, [])


def test_who_is_gone_is_forgotten(tmp_path: Path) -> None:
    """A host is seen while it holds its file; a file that nobody holds is removed."""
    presence = Presence(tmp_path, lambda: 7.0)
    presence.take()
    presence.say(leaving=True, shards=(1, 2))
    (tmp_path / "4711-dead").write_text("{}")
    assert [presence.said] == living(tmp_path)
    presence.release()
    assert [] == living(tmp_path)
    assert [] == list(tmp_path.iterdir())


def test_what_a_host_says_may_be_read_half_written(tmp_path: Path) -> None:
    """A host whose words do not decode lives all the same."""
    presence = Presence(tmp_path, lambda: 7.0)
    presence.take()
    (tmp_path / presence.said.name).write_text("{")
    assert [presence.said.name] == [host.name for host in living(tmp_path)]
    presence.release()


def test_shards_are_settled_when_the_folder_is_made(tmp_path: Path) -> None:
    """Another number of shards later changes nothing; another number of partitions is refused."""
    layout.made(tmp_path, partitions=8, shards=4)
    assert 4 == layout.made(tmp_path, partitions=8, shards=16).card.shards
    with pytest.raises(UserError, match="made with 8"):
        layout.made(tmp_path, partitions=9, shards=4)


def test_no_more_shards_than_partitions(tmp_path: Path) -> None:
    """A shard without a partition is of no use."""
    assert 2 == layout.made(tmp_path, partitions=2, shards=8).card.shards


@pytest.mark.parametrize(("partitions", "shards"), [(0, 1), (65_537, 1), (8, 0), (8, 257)])
def test_numbers_out_of_range_are_refused(tmp_path: Path, partitions: int, shards: int) -> None:
    """The number that is wrong is named."""
    with pytest.raises(UserError, match="it must be 1 to"):
        layout.made(tmp_path, partitions=partitions, shards=shards)


def test_a_folder_without_a_pool_is_told(tmp_path: Path) -> None:
    """A client of a folder that is no pool's learns that there is none."""
    with pytest.raises(UserError, match="no pool of agents"):
        AgentClient.of(tmp_path, "x")


@pytest.mark.parametrize("card", ["{", json.dumps({"partitions": 8, "shards": 4, "format": 99})])
def test_a_card_that_cannot_be_read_is_told(tmp_path: Path, card: str) -> None:
    """One that is broken, or of a later version, is refused."""
    (tmp_path / layout.CARD).write_text(card)
    with pytest.raises((EnvironmentFault, UserError), match=r"cannot be read|has format 99"):
        layout.found(tmp_path)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="cannot be used"):
        layout.made(tmp_path / "file", partitions=8, shards=4)


def test_agents_are_loaded_by_class_and_by_module() -> None:
    """A module stands for the agents that it defines, each is loaded once."""
    found = loaded(["tests.unit.agents.crew:Critic", "tests.unit.agents.crew"])
    assert Critic is found[0]
    assert {Critic, Reader} <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no.such.module", "cannot be imported: ModuleNotFoundError"),
        ("tests.unit.agents.crew:Nobody", "Nobody is not in it"),
        ("tests.unit.agents.crew:Ask", "Ask is no agent"),
        ("json", "defines no agents"),
    ],
)
def test_agents_that_cannot_be_loaded_are_told(name: str, why: str) -> None:
    """What is wrong with a name is said."""
    with pytest.raises(UserError, match=why):
        loaded([name])


def test_the_command_tells_a_user_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback: the code, the cause and the mend, and the exit code of a user's error."""
    assert 2 == main(["host", "--folder", str(tmp_path), "--agents", "json"])
    assert "agents-unloadable: 'json' defines no agents" in capsys.readouterr().err


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


def member(folder: Path) -> Pool:
    """A host of a small pool."""
    return Pool(folder, [Reader, Critic], partitions=8, shards=4)


@looped
async def test_a_second_host_takes_half_and_gives_it_back(tmp_path: Path) -> None:
    """Shards move to who joins, and back when it leaves; agents keep what they know."""
    async with member(tmp_path) as first, first.client("x") as client:
        totals = [await client.ask(f"critic/{n}", Draft(1), int) for n in range(9)]
        async with member(tmp_path) as second:
            await until(lambda: first.ready and second.ready and len(second.open) == 2)
            totals += [await client.ask(f"critic/{n}", Draft(1), int) for n in range(9)]
        totals += [await client.ask(f"critic/{n}", Draft(1), int) for n in range(9)]
    assert [1] * 9 + [2] * 9 + [3] * 9 == totals


@looped
async def test_a_pool_may_lie_deep(tmp_path: Path) -> None:
    """A folder's path may be longer than a socket's may be."""
    deep = tmp_path / ("a" * 80) / ("b" * 80)
    async with member(deep) as pool, AgentClient.of(deep, "x") as client:
        assert 1 == await client.ask("critic/1", Draft(1), int)
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in pool.sockets)


@looped
async def test_a_damaged_shard_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    """The host is not ready, says why, and has the rest of its shards open."""
    async with member(tmp_path) as pool:
        await until(lambda: pool.ready)
    (tmp_path / "shards" / "001" / "card.json").write_text("altered")
    async with member(tmp_path) as pool:
        await until(lambda: len(pool.open) == 3 and 1 in pool.refused)
        assert not pool.ready
        assert "journal-damaged" == pool.refused[1].code


@looped
async def test_a_shard_that_another_took_ends_and_the_others_go_on(tmp_path: Path) -> None:
    """Where locks do not work, the former owner acknowledges nothing more, and lets go."""
    async with member(tmp_path) as pool, pool.client("x") as client:
        await until(lambda: pool.ready)
        before = pool.open[1]
        (tmp_path / "shards" / "001" / ".lock").unlink()
        taker = Store.open(Folder(tmp_path / "shards" / "001"), host=1, partitions=8, holder="another")
        for n in range(8):
            client.post(f"critic/{n}", ENCODE(Draft(1)))
        await until(lambda: before.failed is not None and 1 not in pool.open)
        assert isinstance(before.failed, TakenError)
        taker.close()
        await client.drain()
        assert [2] * 8 == [await client.ask(f"critic/{n}", Draft(1), int) for n in range(8)]


@looped
async def test_a_host_ends_when_the_folder_is_gone(tmp_path: Path) -> None:
    """Without the folder nobody can tell who lives, so the host says so."""
    async with member(tmp_path) as pool:
        await until(lambda: pool.ready)
        (tmp_path / "hosts").rename(tmp_path / "elsewhere")
        with pytest.raises(EnvironmentFault, match="cannot be used any more"):
            await asyncio.wait_for(pool.ended, 10)
        (tmp_path / "elsewhere").rename(tmp_path / "hosts")


class Ball(Message):
    """Goes to and fro for ever."""


class Player(Agent):
    """Passes the ball on."""

    passes: int = 0

    async def on_ball(self, turn: Turn, ball: Ball) -> int:
        """Count and pass on."""
        self.passes += 1
        turn.send("player/b" if turn.address == "player/a" else "player/a", ball)
        return self.passes


@looped
async def test_a_runtime_ends_though_its_agents_never_rest(tmp_path: Path) -> None:
    """What is under way at the end goes on in the next life."""
    async with Runtime(tmp_path, [Player], partitions=1) as runtime:
        await runtime.send("player/a", Ball())
        await asyncio.sleep(0.05)
    async with Runtime(tmp_path, [Player], partitions=1) as runtime:
        await until(lambda: runtime.host.counts.turns > 10)


@looped
async def test_answers_come_from_wherever_the_agent_is(tmp_path: Path) -> None:
    """A question that was asked while nobody hosts is answered once somebody does."""
    layout.made(tmp_path, partitions=8, shards=4)
    async with AgentClient.of(tmp_path, "x") as client:
        asked = asyncio.create_task(client.ask("reader/1", Ask("?"), Answer))
        await asyncio.sleep(0.05)
        async with member(tmp_path):
            assert Answer("?") == await asked

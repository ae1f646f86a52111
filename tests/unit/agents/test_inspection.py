"""Looking into a running pool over its shards' sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.unit.agents.crew import Critic, Draft, Fail, Reader, Remind, looped

from lamplighter.model.errors import UserError
from lamplighter.runtime import AgentClient, Pool
from lamplighter.runtime.agents.errors import UnreachedError
from lamplighter.runtime.agents.inspection.inspector import Inspector
from lamplighter.runtime.agents.inspection.values import Letter
from lamplighter.runtime.agents.pool import layout


@contextlib.asynccontextmanager
async def crowd(folder: Path) -> AsyncIterator[AgentClient]:
    """A pool with some agents in it, and a client."""
    async with Pool(folder, [Reader, Critic], partitions=4, shards=2) as pool, pool.client("x") as client:
        await client.ask("reader/1", Fail(0))  # which tells critic/7
        for n in range(1, 8):
            await client.ask(f"critic/{n}", Draft(n), int)
        yield client


async def letters_of(client: AgentClient) -> list[Letter]:
    """The reader's dead letters, once there are any."""
    async with asyncio.timeout(20):
        while not (letters := await client.inspect.dead("reader/")):  # noqa: ASYNC110 - it is in another shard
            await asyncio.sleep(0.02)
    return letters


@looped
async def test_agents_are_counted_by_kind(tmp_path: Path) -> None:
    """All shards' agents, by kind."""
    async with crowd(tmp_path) as client:
        assert {"critic": 7, "reader": 1} == await client.inspect.kinds()


@looped
async def test_agents_are_listed_in_order_from_a_cursor(tmp_path: Path) -> None:
    """Pages follow each other, whatever shards the agents are in."""
    async with crowd(tmp_path) as client:
        first = await client.inspect.agents("critic/", most=4)
        rest = await client.inspect.agents("critic/", after=first[-1])
    assert [f"critic/{n}" for n in range(1, 8)] == first + rest


@looped
async def test_an_agent_is_shown_by_its_fields(tmp_path: Path) -> None:
    """State by field names, timers with their messages."""
    async with crowd(tmp_path) as client:
        await client.send("reader/1", Remind(60.0))
        shown = await client.inspect.show("reader/1")
    assert shown.known
    assert set(Reader.__struct_fields__) == set(shown.state)
    assert ["Remind"] == [alarm.message["type"] for alarm in shown.timers]


@looped
async def test_an_agent_that_there_is_not_is_shown_as_such(tmp_path: Path) -> None:
    """It is not known, and has nothing under way."""
    async with crowd(tmp_path) as client:
        shown = await client.inspect.show("critic/nobody")
    assert (False, None, []) == (shown.known, shown.state, shown.dead)


@looped
async def test_dead_letters_are_listed_replayed_and_buried(tmp_path: Path) -> None:
    """A letter that is replayed is tried anew; one that is buried is gone."""
    async with crowd(tmp_path) as client:
        await client.send("reader/1", Fail(1_000))
        letters = await letters_of(client)
        assert ["reader/1"] == [letter.address for letter in letters]
        assert 1_000 == letters[0].message["times"]
        assert 1 == await client.inspect.replay(letter=(letters[0].partition, letters[0].number))
        assert 1 == len(await letters_of(client))
        assert 0 == await client.inspect.bury("critic/")
        assert 1 == await client.inspect.bury("reader/")
        assert [] == await client.inspect.dead()


@looped
async def test_numbers_of_all_shards_are_added_up(tmp_path: Path) -> None:
    """Agents, turns and what is under way."""
    async with crowd(tmp_path) as client:
        stats = await client.inspect.stats()
    assert (2, 8, 0) == tuple(stats[name] for name in ("shards", "agents", "dead_letters"))


@looped
async def test_nothing_is_busy_in_a_pool_at_rest(tmp_path: Path) -> None:
    """Without waiting messages there is nothing at the top."""
    async with crowd(tmp_path) as client:
        assert [] == await client.inspect.top()


@looped
async def test_a_pool_that_nobody_hosts_is_told(tmp_path: Path) -> None:
    """The answer is an error with a time after which to try again; without a folder, another."""
    with pytest.raises(UserError, match="no pool"):
        Inspector.of(tmp_path / "none")
    layout.made(tmp_path, partitions=4, shards=2)
    with pytest.raises(UnreachedError, match="did not answer"):
        await Inspector.of(tmp_path, timeout_s=0.2).kinds()

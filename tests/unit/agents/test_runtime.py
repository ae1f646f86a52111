"""The real runtime: an event loop, a real folder, real sockets, a process that is killed."""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.agents.crew import FAILED, Answer, Ask, Critic, Draft, Fail, Reader, Study, looped

from lamplighter.model.errors import OwnedError
from lamplighter.runtime import AgentClient, Runtime, Turn
from lamplighter.runtime.agents.errors import HandlerFailedError, TurnStuckError

HOST = """
import asyncio, sys
from pathlib import Path
from lamplighter.runtime import Runtime
from tests.unit.agents.crew import Critic, Reader

async def main() -> None:
    sockets = [Path(path) for path in sys.argv[3:]]
    async with Runtime(sys.argv[2], [Reader, Critic], sockets=sockets, number=int(sys.argv[1])) as runtime:
        await runtime.ended

asyncio.run(main())
"""
ROOT = Path(__file__).parents[3]


class Worldly(Reader):
    """Awaits the event loop itself, between things it awaits of its turn."""

    async def on_study(self, turn: Turn, study: Study) -> Answer:
        """Sleep in the loop, call with a key, ask."""
        await asyncio.sleep(0.01)
        key = await turn.call(_keyed, study.q)
        total = await turn.ask("critic/1", Draft(2))
        await asyncio.sleep(0.01)
        return Answer(f"{key} {total}")


async def _keyed(text: str, key: str) -> str:
    await asyncio.sleep(0)
    return f"{text} under {key}"


@looped
async def test_what_was_answered_is_there_in_the_next_life(tmp_path: Path) -> None:
    """States outlive the runtime."""
    async with Runtime(tmp_path, [Reader, Critic]) as runtime:
        assert Answer("?") == await runtime.ask("reader/1", Ask("?"))
        await runtime.send("critic/1", Draft(4))
    async with Runtime(tmp_path, [Reader, Critic]) as runtime:
        assert 5 == await runtime.ask("critic/1", Draft(1))


@looped
async def test_a_handler_may_await_the_event_loop(tmp_path: Path) -> None:
    """A task takes it over, and what it asks of its turn goes on as ever."""
    async with Runtime(tmp_path, [Worldly, Critic]) as runtime:
        answer = await runtime.ask("worldly/1", Study("a"))
    assert answer.text.startswith("a under ")
    assert answer.text.endswith(":1 2")


@looped
async def test_an_error_of_a_handler_reaches_the_caller(tmp_path: Path) -> None:
    """As its code and message, without a traceback."""
    FAILED.clear()
    async with Runtime(tmp_path, [Worldly, Critic]) as runtime:
        with pytest.raises(HandlerFailedError, match="ValueError: not yet"):
            await runtime.ask("worldly/1", Fail(99), timeout_s=10)


class Stubborn(Reader):
    """Never gives way when it is asked to study."""

    async def on_study(self, turn: Turn, study: Study) -> Answer:
        """Turn round and round."""
        del turn, study
        while True:
            self.seen += 1


@looped
async def test_a_handler_that_never_gives_way_is_interrupted(tmp_path: Path) -> None:
    """Its message is a dead letter at once, and the host goes on."""
    async with Runtime(tmp_path, [Stubborn, Critic], turn_timeout_s=0.2) as runtime:
        with pytest.raises(TurnStuckError):
            await runtime.ask("stubborn/1", Study("a"))
        assert Answer("?") == await runtime.ask("stubborn/1", Ask("?"))
        assert (1, 1) == (runtime.host.counts.stuck, runtime.host.counts.dead)


@looped
async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """One process at a time has a folder."""
    async with Runtime(tmp_path, [Reader]):
        with pytest.raises(OwnedError, match="process"):
            await Runtime(tmp_path, [Reader]).__aenter__()


@looped
async def test_messages_larger_than_a_buffer_arrive(tmp_path: Path) -> None:
    """A frame on the wire may be larger than what is read at once."""
    sockets = [tmp_path / "0.sock"]
    text = "x" * 700_000
    async with (
        Runtime(tmp_path / "0", [Reader, Critic], sockets=sockets),
        AgentClient(sockets, "c") as client,
    ):
        assert Answer(text) == await client.ask("reader/1", Ask(text), Answer)
        assert Answer("?") == await client.ask("reader/1", Ask("?"), Answer)


@looped
async def test_hosts_that_are_killed_lose_and_double_nothing(tmp_path: Path) -> None:
    """Two hosts, one of them killed three times under load: each accepted draft is summed up once."""
    sockets = [tmp_path / "0.sock", tmp_path / "1.sock"]
    rounds, each = 3, 400
    with _host(0, tmp_path, sockets), contextlib.ExitStack() as stack:
        stack.enter_context(_host(1, tmp_path, sockets))
        async with AgentClient(sockets, "c") as client:
            for _ in range(rounds):
                sends = [client.send(f"reader/{n % 40}", Ask(str(n))) for n in range(each)]
                gathered = asyncio.gather(*sends)
                await asyncio.sleep(0.05)
                stack.close()
                stack.enter_context(_host(1, tmp_path, sockets))
                await asyncio.wait_for(gathered, 30)
            async with asyncio.timeout(30):
                seen = [await _seen(client, n) for n in range(40)]
            wanted = sum(n * (n + 1) // 2 for n in seen) + len(seen)
            async with asyncio.timeout(30):
                while (total := await client.ask("critic/7", Draft(0), int)) < wanted:  # noqa: ASYNC110 - it is another process
                    await asyncio.sleep(0.05)
    assert (rounds * each, wanted) == (sum(seen), total)


async def _seen(client: AgentClient, number: int) -> int:
    """How many questions a reader has been asked; it is told in no other way than by one that fails none."""
    asked: int = await client.ask(f"reader/{number}", Fail(0), int)
    return asked - 1


@contextlib.contextmanager
def _host(number: int, folder: Path, sockets: list[Path]) -> Iterator[None]:
    command = [sys.executable, "-c", HOST, str(number), str(folder / str(number)), *map(str, sockets)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()

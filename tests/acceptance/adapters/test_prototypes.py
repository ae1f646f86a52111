"""Real prototypes, unchanged: killed in the middle, they go on by themselves and do not ask a model again."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from benchmarks.agents.peers import environments

from lamplighter.runtime import AgentClient, Message

HERE = Path(__file__).parent
SOURCE = HERE.parents[2] / "src"
SLOW_S = "2"
DEADLINE_S = 100.0


class Improve(Message):
    """As the plain prototype's."""

    question: str


class Invoke(Message):
    """As a graph's."""

    input: Any


class Prompt(Message):
    """As a pydantic-ai agent's."""

    prompt: str


class Topic(Message):
    """As the newsroom's."""

    title: str


class Search(Message):
    """As the newsroom's."""

    word: str


@dataclass
class Case:
    """A prototype and what becomes of it.

    Args:
        name: of its module.
        environment: in which it runs; "" for ours.
        asked: what is asked of which agent.
        answer: what it answers.
        calls: what it does outside, in order; one of them is under way when it is killed.
        killed_at: which of them, from 1.
    """

    name: str
    environment: str
    asked: tuple[str, Message]
    answer: Any
    calls: list[str]
    killed_at: int


PLAIN = Case(
    "plain",
    "",
    ("improve/1", Improve("zip")),
    "IMPROVE DRAFT ZIP (1)",
    ["draft zip", "improve DRAFT ZIP"],
    2,
)
NOTES = ["PLAN ZIP", "desk of 1", "shelf of 1"]
GRAPH = Case(
    "graph",
    "langgraph",
    ("researcher/1", Invoke({"question": "zip", "notes": []})),
    f"WRITE {'; '.join(NOTES)}".upper(),
    ["plan zip", f"write {'; '.join(NOTES)}"],
    2,
)
FINDER = Case(
    "finder",
    "pydantic-ai",
    ("finder/1", Prompt("zip")),
    "zip is on page 3, after 3 messages",
    ["asked zip", "look_up zip", "told zip is on page 3"],
    3,
)
NEWSROOM = Case(
    "newsroom",
    "autogen-core",
    ("editor/1", Topic("zip")),
    "ANN ON ZIP (1) AND BOB ON ZIP (1)",
    ["ann on zip", "bob on zip", "ANN ON ZIP (1) and BOB ON ZIP (1)"],
    3,
)
FRAMEWORKS = [pytest.param(case, id=case.name, marks=pytest.mark.heavy) for case in (GRAPH, FINDER, NEWSROOM)]


def interpreter(case: Case) -> Path:
    """The interpreter of the prototype's environment, made if there is none."""
    if not case.environment:
        return Path(sys.executable)
    try:
        return environments.made(case.environment, environments.cache(), HERE / "versions")
    except environments.AbsentError as absent:
        pytest.skip(f"{case.environment} cannot be had here: {absent}")


def process(case: Case, folder: Path, *command: str, slow: str = "0") -> subprocess.Popen[str]:
    """Start something in the prototype's environment."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SOURCE),
        "MODEL_LOG": str(folder / "calls"),
        "MODEL_S": slow,
    }
    return subprocess.Popen(
        [str(interpreter(case)), *command], env=environment, stdout=subprocess.PIPE, text=True
    )


@contextmanager
def hosted(case: Case, folder: Path, slow: str) -> Iterator[None]:
    """A host of the prototype, killed without a goodbye at the end."""
    arguments = (str(HERE / "life.py"), case.name, str(folder / "state"), str(folder / "sock"))
    host = process(case, folder, *arguments, slow=slow)
    try:
        yield
    finally:
        host.kill()
        host.communicate()


def calls(folder: Path) -> list[str]:
    """What the prototype has done outside so far."""
    log = folder / "calls"
    return log.read_text().splitlines() if log.exists() else []


async def lived(case: Case, folder: Path) -> Any:
    """Ask, kill the host while a call is under way, start it again; return the answer."""
    async with asyncio.timeout(DEADLINE_S), AgentClient([folder / "sock"], "a test", partitions=4) as client:
        with hosted(case, folder, SLOW_S):
            asking = asyncio.ensure_future(client.ask(*case.asked, timeout_s=DEADLINE_S))
            while len(calls(folder)) < case.killed_at:  # noqa: ASYNC110 - a file
                await asyncio.sleep(0.02)
        with hosted(case, folder, "0"):
            answer = await asking
            if case is NEWSROOM:
                found = await client.ask("archive/1", Search("ZIP"), timeout_s=DEADLINE_S)
                assert {"type": "Text", "fields": {"text": "1"}} == found
            return answer


def said(answer: Any) -> Any:
    """The text of an answer, whatever its form."""
    match answer:
        case {"output": {"answer": text}} | {"fields": {"text": text}}:
            return text
    return answer


def alone(case: Case, folder: Path) -> str:
    """What the prototype prints when it runs as it is."""
    program = process(case, folder, str(HERE / "prototypes" / f"{case.name}.py"), "zip")
    return program.communicate(timeout=DEADLINE_S)[0].strip()


@pytest.mark.parametrize("case", FRAMEWORKS)
def test_a_prototype_is_resumed_where_it_was_killed(case: Case, tmp_path: Path) -> None:
    """It answers as it does alone; only the call that was under way is made again."""
    assert case.answer == alone(case, tmp_path)
    assert case.calls == calls(tmp_path)
    (tmp_path / "calls").unlink()
    assert case.answer == said(asyncio.run(lived(case, tmp_path)))
    expected = Counter(case.calls) + Counter([case.calls[case.killed_at - 1]])
    assert expected == Counter(calls(tmp_path))


def test_a_plain_function_is_one_call(tmp_path: Path) -> None:
    """One that was killed before it had returned runs again from its start, with its state as before."""
    assert PLAIN.answer == asyncio.run(lived(PLAIN, tmp_path))
    assert ["draft zip", "improve DRAFT ZIP"] * 2 == calls(tmp_path)

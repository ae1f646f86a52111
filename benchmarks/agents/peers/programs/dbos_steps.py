"""DBOS on SQLite: the state of an agent is what its last step returned, or a row that a workflow changes.

Three forms. `sequential`: steps one after another inside a workflow, the cheapest unit that DBOS has; what a
workflow itself costs falls on STEPS of them. `pipelined`: several such workflows at once. `workflow`: one
durable message to one of many agents that each are reached on their own: a workflow with one transaction.
"""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, SQLAlchemyDatasource

STEPS = 50
WORKFLOWS = 4

_rows: list[SQLAlchemyDatasource] = []


@DBOS.step()
def on_ask(state: dict[str, Any], text: str) -> dict[str, Any]:
    """Count one question; what is returned is on disk before the workflow sees it."""
    return {"seen": state["seen"] + 1, "last": text}


@DBOS.workflow()
def turns(agents: list[int], text: str) -> tuple[list[float], int]:
    """Ask these agents one after another; returns the seconds each took, and how many were counted."""
    states: dict[int, dict[str, Any]] = {}
    took = []
    for agent in agents:
        before = time.perf_counter()
        states[agent] = on_ask(states.get(agent, {"seen": 0, "last": ""}), text)
        took.append(time.perf_counter() - before)
    return took, sum(each["seen"] for each in states.values())


@DBOS.workflow()
def message(agent: int, text: str) -> None:
    """Ask one agent whose state is a row, in one transaction with what DBOS writes of the step."""
    _rows[0].run_tx_step({"name": "on_ask"}, _count, agent, text)


def _count(agent: int, text: str) -> None:
    session = _rows[0].sql_session()
    session.execute(
        sa.text("UPDATE reader SET seen = seen + 1, last = :text WHERE id = :id"),
        {"text": text, "id": agent},
    )


class Program:
    """DBOS is a library: it lives in the client's process, and they cannot be told apart."""

    rest_s = 0.0

    def __init__(self) -> None:
        self.forms = {
            "sequential": (STEPS, self._steps),
            "pipelined": (STEPS * WORKFLOWS, self._steps),
            "workflow": (1, self._message),
        }
        self._counted = 0

    async def start(self, folder: Path) -> None:
        """Launch DBOS on a SQLite file, as it does where no other database is named."""
        DBOS(
            config={
                "name": "reader",
                "system_database_url": f"sqlite:///{folder}/dbos.sqlite",
                "log_level": "WARNING",
                "enable_otlp": False,
            }
        )
        _rows.append(SQLAlchemyDatasource.create(f"sqlite:///{folder}/rows.sqlite"))
        with _rows[0].engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE reader (id INTEGER PRIMARY KEY, seen INT, last TEXT)"))
        DBOS.launch()

    async def make(self, agents: range) -> None:
        """Insert a row an agent."""
        with _rows[0].engine.begin() as connection:
            connection.execute(
                sa.text("INSERT INTO reader VALUES (:id, 0, '')"), [{"id": each} for each in agents]
            )

    async def handled(self) -> int:
        """Return what steps and rows have counted."""
        with _rows[0].engine.connect() as connection:
            return self._counted + int(
                connection.execute(sa.text("SELECT sum(seen) FROM reader")).scalar_one()
            )

    async def stop(self) -> None:
        """Stop the threads of DBOS."""
        await asyncio.to_thread(DBOS.destroy)

    async def _steps(self, agents: Sequence[int], text: str) -> list[float]:
        parts = [list(agents[start : start + STEPS]) for start in range(0, len(agents), STEPS)]
        results = await asyncio.gather(*(asyncio.to_thread(turns, part, text) for part in parts))
        self._counted += sum(counted for _, counted in results)
        return [each for took, _ in results for each in took]

    async def _message(self, agents: Sequence[int], text: str) -> None:
        await asyncio.to_thread(message, agents[0], text)

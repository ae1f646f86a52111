"""The page about agents: what it shows runs."""

import asyncio
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[3] / "docs" / "howto" / "agents.md"


def test_the_code_of_the_page_runs(tmp_path: Path) -> None:
    """All of it in one module: the program, the class that changed, the test, two hosts and a client."""
    shown: dict[str, Any] = {"__name__": "shown"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(block, shown)  # noqa: S102 - our own page
    assert "WHERE IS ZIP?" == asyncio.run(shown["main"](str(tmp_path / "alone")))
    shown["test_reader"]()


def test_the_hosts_of_the_page_work_together(tmp_path: Path, monkeypatch: Any) -> None:
    """Two hosts in one loop, and a client."""
    monkeypatch.chdir(tmp_path)
    shown: dict[str, Any] = {"__name__": "shown"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
        exec(block, shown)  # noqa: S102 - our own page

    async def together() -> str:
        hosts = [asyncio.create_task(shown["host"]("swarm")) for _ in range(2)]
        await asyncio.sleep(0)  # the first one has made the folder
        answer: str = await shown["somewhere_else"]("swarm")
        for host in hosts:
            host.cancel()
        await asyncio.gather(*hosts, return_exceptions=True)
        return answer

    assert "ZIP?" == asyncio.run(together())

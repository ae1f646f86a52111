"""Control: the same without a mutant, after each test that tells: what fails then too tells nothing."""

import json
import os
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import pytest

from benchmarks.mutation import children, warm


class Control:
    """A copy of this process from before a mutant is put in place; it runs tests when it is asked to."""

    def __init__(self, items: dict[str, pytest.Item]) -> None:
        """Fork nothing yet.

        Args:
            items: the tests, by their names.
        """
        self._items = items
        self._pid = 0
        self._asks = self._hears = -1
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        """Fork the copy."""
        (asked, self._asks), (self._hears, answers) = os.pipe(), os.pipe()
        self._pid = children.fork()
        if not self._pid:
            os.close(self._asks)
            os.close(self._hears)
            self._serve(asked, answers)
        os.close(asked)
        os.close(answers)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Let the copy go."""
        os.close(self._asks)
        os.close(self._hears)
        os.waitpid(self._pid, 0)

    def fails(self, names: Sequence[str], *, placed: bool) -> bool:
        """Whether any of some tests fails with nothing changed, run in the way in which it just failed.

        Args:
            names: of tests.
            placed: run in what is loaded; else with everything imported anew.
        """
        os.write(self._asks, json.dumps([list(names), placed]).encode() + b"\n")
        failed = os.read(self._hears, 1) != b"0"
        self.failed += names if failed else ()
        return failed

    def _serve(self, asked: int, answers: int) -> None:
        try:
            with os.fdopen(asked, "rb") as lines:
                for line in lines:
                    names, placed = json.loads(line)
                    os.write(answers, b"1" if self._any_fails(names, placed=placed) else b"0")
        finally:
            os._exit(0)

    def _any_fails(self, names: list[str], *, placed: bool) -> bool:
        if not placed:
            return bool(warm.first_failed_cold(names))
        warm.settle_in(next(iter(self._items.values())))
        return any(warm.failed(self._items[each]) for each in names)

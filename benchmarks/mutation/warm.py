"""Warm: a pytest session with every test collected, that hands its tests over instead of running them."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

from benchmarks.report import CannotRunError

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("tests/unit", "tests/simulation")
LEFT_OUT = (
    *(f"tests/unit/{each}" for each in ("agents", "docs", "gateway", "library", "load", "local")),
    *(f"tests/unit/{each}" for each in ("soak", "spec", "store")),
    *(f"tests/simulation/test_{each}.py" for each in ("agents", "agent_bugs", "powerloss")),
    *(f"tests/simulation/test_{each}.py" for each in ("planted", "planted_bugs", "seeds")),
    *(f"tests/simulation/test_{each}.py" for each in ("shrink", "campaign", "world")),
)
"""What has no part in deciding; stories of seeds are run by themselves, planted bugs would hide others."""
LEFT = tuple(f"--ignore={each}" for each in LEFT_OUT)
SIMULATED = "tests/simulation/"
FOLDER = "LAMP_MUTATION_FOLDER"
ITEM_S = 20.0
"""A test that uses more CPU than this never comes to an end; how busy the machine is makes no difference."""


class Endless(BaseException):
    """A test has used too much CPU. Not an Exception: nothing in a test may catch it."""


def warm(work: Callable[[list[pytest.Item]], None]) -> None:
    """Collect the tests, then do `work` on them, inside of the session.

    Raises:
        CannotRunError: the tests cannot be collected.
    """
    settings.register_profile(
        "mutation", derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate]
    )
    settings.load_profile("mutation")
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        taken = _Taken(work)
        os.environ[FOLDER] = folder
        code = pytest.main([*_arguments(folder), *LEFT, "-m", "not heavy", *FOLDERS], plugins=[taken])
    if taken.failure is not None:
        raise taken.failure
    if not taken.ran:
        raise CannotRunError(
            f"the tests cannot be collected (pytest ends with {code}); run `make test` first"
        )


def _arguments(folder: str) -> list[str]:
    quiet = "ignore::pytest.PytestAssertRewriteWarning"
    return [
        "-q",
        "--no-header",
        "-W",
        quiet,
        "-o",
        "timeout=0",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:terminalreporter",
        f"--basetemp={folder}/all",
    ]


class _Taken:
    """A plugin that takes the tests once they are collected."""

    def __init__(self, work: Callable[[list[pytest.Item]], None]) -> None:
        self._work = work
        self.ran = False
        self.failure: BaseException | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            return True
        self.ran = True
        capture = session.config.pluginmanager.getplugin("capturemanager")
        capture.suspend_global_capture(in_=True)
        try:
            self._work(list(session.items))
        except BaseException as error:  # noqa: BLE001 - pytest would swallow it; it is raised again outside
            self.failure = error
        capture.resume_global_capture()
        return True


def settle_in(item: pytest.Item) -> None:
    """Give this process, a child, a folder of its own for what tests write; `warm` takes it away."""
    factory: Any = item.config._tmp_path_factory  # type: ignore[attr-defined]  # noqa: SLF001 - no other way in
    factory._basetemp = Path(tempfile.mkdtemp(dir=os.environ[FOLDER]))  # noqa: SLF001


def failed(item: pytest.Item, within_s: float = ITEM_S) -> bool:
    """Whether one test fails, run here and now; one that uses more CPU than `within_s` does."""
    signal.signal(signal.SIGPROF, _bite)
    signal.setitimer(signal.ITIMER_PROF, within_s)
    try:
        reports = runtestprotocol(item, log=False, nextitem=None)
    except BaseException:  # noqa: BLE001 - it went on and on, or what runs tests broke over what the mutant did
        return True
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
    return any(each.failed for each in reports)


def first_failed_cold(names: Sequence[str]) -> str:
    """The first of some tests that fails with everything imported anew, empty if none does."""
    for name in [each for each in sys.modules if each.split(".")[0] in ("lamplighter", "tests", "conftest")]:
        del sys.modules[name]
    recorder = _Recorder()
    folder = tempfile.mkdtemp(dir=os.environ[FOLDER])
    code = pytest.main([*_arguments(folder), "-x", *names], plugins=[recorder])
    return recorder.failed or ("collection" if code not in (0, 5) else "")


class _Recorder:
    """A plugin that notes the first test that fails."""

    def __init__(self) -> None:
        self.failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid


def _bite(_number: int, _frame: FrameType | None) -> None:
    raise Endless


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Do something; return what it gives and the CPU it took, in seconds."""
    began = time.process_time()
    return work(), time.process_time() - began

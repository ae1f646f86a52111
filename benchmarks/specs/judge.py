"""One spec judged: does it reach a plan, or give faults that are clear and have a place, and how soon."""

import signal
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from types import FrameType
from typing import Any

LIMIT_S = 2.0
FACTS_AT_S = 1000.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a spec.

    `end`: plan, fault (all of them clear), unclear, unnoticed, traceback or hang; `why` explains the last
    four of these.
    """

    end: str
    seconds: float = 0.0
    codes: tuple[str, ...] = field(default=())
    why: str = ""

    def expecting(self, code: str) -> "Verdict":
        """Return the verdict, worse if a fault of this code should have been found and was not."""
        if not code or code in self.codes or self.end not in ("plan", "fault"):
            return self
        return replace(
            self, end="unnoticed", why=f"expected {code}, found {', '.join(self.codes) or 'nothing'}"
        )


class _TooSlowError(BaseException):
    """The limit is over; a BaseException, so that no broad except in the way takes it."""


def judge(text: str | bytes) -> Verdict:
    """Read a spec and, if it is sound, plan it on an empty machine."""
    from lamplighter.model.errors import LampError  # noqa: PLC0415 - a benchmark may run without it

    started = time.perf_counter()
    codes: tuple[str, ...] = ()
    end, why = "plan", ""
    try:
        with _limit():
            _plan(text)
    except LampError as error:
        faults = error.faults()
        why = "; ".join(each for fault in faults if (each := _unclear(fault, text)))
        end, codes = "unclear" if why else "fault", tuple(fault.code for fault in faults)
    except _TooSlowError:
        end, why = "hang", f"no answer within {LIMIT_S} s"
    except Exception:  # noqa: BLE001 - this is what is looked for
        end, why = "traceback", traceback.format_exc()
    return Verdict(end, time.perf_counter() - started, codes, why)


def _plan(text: str | bytes) -> None:
    from lamplighter import planning, spec  # noqa: PLC0415
    from lamplighter.engine.step import step  # noqa: PLC0415
    from lamplighter.model.history import History  # noqa: PLC0415
    from lamplighter.model.intents import Up  # noqa: PLC0415
    from lamplighter.model.passes import Inputs  # noqa: PLC0415
    from lamplighter.targets.local.missing import missing  # noqa: PLC0415

    whole = spec.parse(text)
    system = whole.at(whole.default_site)
    lacking = missing(system)
    releases = dict.fromkeys(system.services, "r-0000000000")
    wish = Up(id="up", system=system, releases=releases)
    inputs = Inputs(now=FACTS_AT_S, facts=_empty_machine(), intents=(wish,))
    made = planning.plan(step, History(), inputs, missing=lacking, places=spec.places(text))
    runs = planning.possible(system, lacking).services
    starts = {row.subject for row in planning.outline(made).rows}
    wanted = {name for name, each in runs.items() if each.replicas.min and not _blocked(name, runs)}
    assert wanted <= starts, f"nothing starts {sorted(wanted - starts)}"
    assert len(made.missing) == len(lacking)


def _blocked(name: str, services: Any) -> bool:
    """Return whether something that it needs stays at zero or is left out, so that it waits."""
    needs = [each for each in services[name].needs if each in services]
    return any(not services[each].replicas.min or _blocked(each, services) for each in needs)


@cache
def _empty_machine() -> Any:
    from lamplighter.model.facts import PROCESSES, Facts, Machine, Source  # noqa: PLC0415

    return Facts(
        at=FACTS_AT_S,
        wall="2025-01-08T12:00:30+00:00",
        sources={PROCESSES: Source(observed_at=FACTS_AT_S)},
        machine=Machine(cores=8.0, memory_bytes=2**34),
    )


@contextmanager
def _limit() -> Iterator[None]:
    """Interrupt what takes longer than the limit, where that can be done: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _TooSlowError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _unclear(fault: Any, text: str | bytes) -> str:
    """Return what is unclear about a fault: its code, its message, or its place in the file."""
    from lamplighter.spec.codes import codes  # noqa: PLC0415

    content = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    lines = len(content.splitlines()) + 1
    if fault.code not in codes() or not fault.message:
        return f"{fault.code or 'no code'}: {fault.message or 'no message'}"
    if fault.code == "too-many-faults":
        return ""
    placed = fault.file and 1 <= fault.line <= lines and fault.column >= 1 and fault.width >= 1
    return "" if placed else f"{fault.code} has the place {fault.file}:{fault.line}:{fault.column}"

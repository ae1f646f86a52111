"""All that is known of one dependency, and what is decided from it: may a call be made, again, twice.

Shared by every function that calls the dependency, from any thread or event loop: a lock is held for each
decision, and never while anything waits. Waits for nothing itself; time and chance come from outside.
"""

from collections.abc import Callable, Mapping
from math import inf
from random import Random
from threading import Lock
from time import monotonic
from types import MappingProxyType

from lamplighter.runtime.resilience import counters, settings
from lamplighter.runtime.resilience.breaker import Breaker
from lamplighter.runtime.resilience.counters import NAMES_MAX, Counters
from lamplighter.runtime.resilience.deadline import DEADLINE
from lamplighter.runtime.resilience.errors import (
    CircuitOpenError,
    DeadlineExceededError,
    PolicyError,
    TooManyCallsError,
)
from lamplighter.runtime.resilience.judging import Rules
from lamplighter.runtime.resilience.latencies import Latencies
from lamplighter.runtime.resilience.retry import Budget, pause
from lamplighter.runtime.resilience.settings import Settings
from lamplighter.runtime.resilience.slots import Slots

Clock = Callable[[], float]
_DRAW = Random().random  # noqa: S311 - spreads retries; nothing secret
OTHER = "other"


class Dependency:
    """One dependency of this process.

    Args:
        name: as `lamp.yaml` or the code calls it.
        settings: how calls to it are protected.
        clock: monotonic seconds; of the event loop, where that keeps a time of its own.
        draw: even numbers from 0 to 1, for the pauses.
    """

    def __init__(
        self, name: str, settings: Settings, *, clock: Clock = monotonic, draw: Callable[[], float] = _DRAW
    ) -> None:
        self.name = name
        self.settings = settings
        self.clock = clock
        self.lock = Lock()
        self.counters = Counters()
        self.latencies = Latencies() if settings.hedge else None
        self.slots = Slots(settings.concurrency, settings.waiting) if settings.concurrency else None
        self.breaker = _breaker(settings)
        self._budget = Budget(settings.extra_share)
        self._draw = draw
        self._deadline_s = settings.deadline_s or inf
        self._timeout_s = settings.timeout_s or inf

    def begin(self, now: float) -> float:
        """Count a call; return until when it may take, all tries together.

        Raises:
            DeadlineExceededError: the time of this context is over; nothing was called.
        """
        until = now + self._deadline_s
        outer = DEADLINE.get()
        if outer is not None and outer < until:
            until = outer
        with self.lock:
            self.counters.calls += 1
            self._budget.earn(now)
        if until <= now:
            raise self.late()
        return until

    def admit(self, now: float) -> int:
        """Ask the breaker and the bulkhead for one try.

        Returns:
            Its ticket, for `answered`, `raised` or `forget`; negative when it has to wait for a slot first.

        Raises:
            CircuitOpenError: too many failed lately.
        """
        breaker, slots = self.breaker, self.slots
        with self.lock:
            ticket = breaker.admit(now) if breaker is not None else 1
            if ticket:
                self.counters.tries += 1
                return ticket if slots is None or slots.take() else -ticket
            self.counters.refused_open += 1
            wait_s = breaker.refused_for(now) if breaker is not None else 0.0
        counters.mark("circuit-open", dependency=self.name)
        raise CircuitOpenError(
            f"{self.name} is not called: too many calls to it failed lately",
            dependency=self.name,
            retry_after_s=wait_s,
        )

    def try_until(self, now: float, until: float) -> float:
        """Return until when one try may take."""
        own = now + self._timeout_s
        return min(until, own)

    def answered(self, ticket: int, started: float) -> None:
        """Count a try that was answered, and give its slot back."""
        now = self.clock()
        with self.lock:
            if self.breaker is not None:
                self.breaker.succeeded(ticket, now)
            if self.latencies is not None:
                self.latencies.add(now - started)
            if self.slots is not None:
                self.slots.leave()

    def raised(self, ticket: int, started: float, error: BaseException, rules: Rules) -> None:
        """Count a try that raised, as a failure, an answer or nothing, and give its slot back."""
        if not isinstance(error, Exception):
            with self.lock:
                if self.breaker is not None:
                    self.breaker.forget(ticket)
                if self.slots is not None:
                    self.slots.leave()
            return
        if not rules.failed(error):
            self.answered(ticket, started)
            return
        now = self.clock()
        with self.lock:
            self.counters.failures += 1
            if self.breaker is not None:
                self.breaker.failed(ticket, now)
            if self.slots is not None:
                self.slots.leave()

    def not_made(self, ticket: int) -> TooManyCallsError:
        """Take back a try that got no slot, and return its error."""
        with self.lock:
            self.counters.tries -= 1
            self.counters.refused_full += 1
            if self.breaker is not None:
                self.breaker.forget(ticket)
        return TooManyCallsError(
            f"{self.name} is not called: {self.settings.concurrency} calls to it are under way",
            dependency=self.name,
        )

    def pause_before_retry(self, rules: Rules, error: Exception, failures: int, until: float) -> float | None:
        """Decide on another try after so many have failed, the last with this error.

        Returns:
            The seconds to wait before it; None when there is none: no use, used up, over budget, too late.
        """
        if failures > self.settings.retries or not rules.again(error):
            return None
        now = self.clock()
        with self.lock:
            wait_s = pause(failures, self.settings.pause_s, self.settings.pause_s_max, self._draw)
            if now + wait_s >= until:
                return None
            if not self._budget.spend(now):
                self.counters.over_budget += 1
                return None
            self.counters.retries += 1
        counters.mark("retry", dependency=self.name, failures=failures, wait_s=wait_s)
        return wait_s

    def hedge_after(self) -> float | None:
        """Return after how many seconds a second try may go out beside the first; None: not yet known."""
        return self.latencies.p95_s if self.latencies is not None else None

    def may_hedge(self) -> bool:
        """Take a second try from the budget, if it has one."""
        now = self.clock()
        with self.lock:
            closed = self.breaker is None or self.breaker.state == "closed"
            if not closed or not self._budget.spend(now):
                self.counters.over_budget += 1
                return False
            self.counters.hedges += 1
            self.counters.tries += 1
        return True

    def late(self) -> DeadlineExceededError:
        """Count a call that is too late, and return its error."""
        with self.lock:
            self.counters.late += 1
        return DeadlineExceededError(f"{self.name} did not answer in time", dependency=self.name)


_NONE: Mapping[str, Settings] = MappingProxyType({})
_NO_URLS: Mapping[str, str] = MappingProxyType({})


class Registry:
    """The dependencies of a process, by name: whoever names the same one shares its state.

    Args:
        given: the settings that the environment has, by dependency.
        urls: where workloads are called, to their names.
    """

    def __init__(self, given: Mapping[str, Settings] = _NONE, urls: Mapping[str, str] = _NO_URLS) -> None:
        self._given = given
        self._urls = urls
        self._known: dict[str, Dependency] = {}
        self._lock = Lock()

    def dependency(self, name: str, wanted: Settings | None = None) -> Dependency:
        """Return the dependency of this name.

        Its settings are those of the environment, else those wanted first, else the defaults: who operates a
        system has the last word.

        Raises:
            PolicyError: it is known with other settings, also given in code.
        """
        with self._lock:
            if name not in self._known and len(self._known) >= NAMES_MAX:
                name = OTHER
            if name not in self._known:
                self._known[name] = Dependency(name, self._given.get(name) or wanted or Settings())
            found = self._known[name]
        if wanted is not None and name not in self._given and wanted != found.settings and name != OTHER:
            raise PolicyError(
                f"{name} has two different settings",
                mend=f"give them once, and write policy({name!r}) everywhere else",
            )
        return found

    def workload_of(self, url: str) -> str:
        """Return the workload that a URL belongs to, by the `LAMP_URL_*` of the environment; or nothing."""
        return next((name for base, name in self._urls.items() if f"{url}/".startswith(f"{base}/")), "")

    def snapshot(self) -> dict[str, dict[str, int]]:
        """Return what was counted, by dependency."""
        with self._lock:
            known = list(self._known.items())
        return {name: each.counters.as_dict() for name, each in known}


def _breaker(wanted: Settings) -> Breaker | None:
    if wanted.breaker is None:
        return None
    each = wanted.breaker
    return Breaker(each.errors, each.window_s, each.calls_min, each.open_s, each.probes)


_OF_PROCESS: list[Registry] = []
_MAKING = Lock()


def registry() -> Registry:
    """Return the process's own registry, with what its environment says; offered to OpenTelemetry once."""
    with _MAKING:
        if not _OF_PROCESS:
            _OF_PROCESS.append(Registry(settings.from_environment(), settings.urls()))
            counters.observe(_OF_PROCESS[0].snapshot)
    return _OF_PROCESS[0]

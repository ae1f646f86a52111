"""A policy: one decorator for all that protects the calls of a function to one dependency.

From the outside in: fallback chain, deadline, retries, breaker, bulkhead, hedge, timeout of a try.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, cast

from lamplighter.runtime.resilience import awaiting, blocking
from lamplighter.runtime.resilience.dependency import Dependency, registry
from lamplighter.runtime.resilience.errors import CallError, DeadlineExceededError, PolicyError
from lamplighter.runtime.resilience.fallback import Cached, Step
from lamplighter.runtime.resilience.judging import Rules
from lamplighter.runtime.resilience.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")
On = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]


class Policy:
    """Decorates plain and coroutine functions that call one dependency.

    Args:
        dependency: whose state this shares with all that call the same.
        fallback: what is tried, in order, when the function got no answer.
        repeatable: whether a second try does no harm; if not there are neither retries nor hedges.
        on: errors that mean trouble of the dependency; None: connections, timeouts, 429 and 5xx.
    """

    def __init__(
        self,
        dependency: Dependency,
        *,
        fallback: Sequence[Step] = (),
        repeatable: bool = True,
        on: On | None = None,
    ) -> None:
        self.dependency = dependency
        self._chain = tuple(fallback)
        self._rules = Rules(_judge(on), repeatable)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return the function, protected.

        Raises:
            PolicyError: a generator, whose calls end before their work; or a plain function with a
                fallback that is a coroutine function.
        """
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise PolicyError(
                f"{function.__qualname__} is a generator: its call ends before its work begins",
                mend="decorate the function that opens the stream",
            )
        chain = self._chain
        if self.dependency.settings.fallback == "cached" and not _remembers(chain):
            chain = (Cached(), *chain)
        if inspect.iscoroutinefunction(function):
            return cast("Callable[P, R]", self._awaiting(function, chain))
        late = next((each for each in chain if inspect.iscoroutinefunction(each)), None)
        if late is not None:
            raise PolicyError(f"{function} is a plain function; its fallback {late} is a coroutine function")
        return cast("Callable[P, R]", self._blocking(function, chain))

    def _awaiting(self, function: Callable[..., Any], chain: tuple[Step, ...]) -> Callable[..., Any]:
        dependency, rules = self.dependency, self._rules

        @functools.wraps(function)
        async def bare(*args: Any, **kwargs: Any) -> Any:
            one = functools.partial(function, *args, **kwargs)
            return await awaiting.call(dependency, one, rules)

        if not chain:
            return bare

        @functools.wraps(function)
        async def protected(*args: Any, **kwargs: Any) -> Any:
            try:
                answer = await bare(*args, **kwargs)
            except Exception as error:
                if not self._unanswered(error):
                    raise
                return await self._fall_back(chain, error, args, kwargs)
            _keep(chain, args, kwargs, answer)
            return answer

        return protected

    def _blocking(self, function: Callable[..., Any], chain: tuple[Step, ...]) -> Callable[..., Any]:
        dependency, rules = self.dependency, self._rules

        @functools.wraps(function)
        def bare(*args: Any, **kwargs: Any) -> Any:
            one = functools.partial(function, *args, **kwargs)
            return blocking.call(dependency, one, rules)

        if not chain:
            return bare

        @functools.wraps(function)
        def protected(*args: Any, **kwargs: Any) -> Any:
            try:
                answer = bare(*args, **kwargs)
            except Exception as error:
                if not self._unanswered(error):
                    raise
                return self._fall_back_at_once(chain, error, args, kwargs)
            _keep(chain, args, kwargs, answer)
            return answer

        return protected

    async def _fall_back(
        self, chain: tuple[Step, ...], cause: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        for step in chain:
            try:
                answer = step(*args, **kwargs)
                if inspect.isawaitable(answer):
                    answer = await answer
            except Exception as error:  # noqa: BLE001 - the next step is tried; the last error stands
                error.__cause__ = error.__cause__ or cause
                cause = error
            else:
                self._count()
                return answer
        raise cause

    def _fall_back_at_once(
        self, chain: tuple[Step, ...], cause: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        for step in chain:
            try:
                answer = step(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - the next step is tried; the last error stands
                error.__cause__ = error.__cause__ or cause
                cause = error
            else:
                self._count()
                return answer
        raise cause

    def _unanswered(self, error: Exception) -> bool:
        return isinstance(error, CallError) or self._rules.failed(error)

    def _count(self) -> None:
        with self.dependency.lock:
            self.dependency.counters.fallbacks += 1


def policy(
    name: str,
    settings: Settings | None = None,
    *,
    fallback: Sequence[Step] = (),
    repeatable: bool = True,
    on: On | None = None,
) -> Policy:
    """Return a policy for calls to the dependency `name`, to be used as a decorator.

    Args:
        name: of the dependency; all policies of one name in a process share its breaker, budget and slots.
        settings: where the environment (`LAMP_RESILIENCE`) says nothing of this dependency.
        fallback: what is tried, in order, when the function got no answer.
        repeatable: whether a second try does no harm.
        on: errors that mean trouble of the dependency, as for `Policy`.

    Raises:
        PolicyError: the settings contradict those given elsewhere, or the environment cannot be read.
    """
    return Policy(registry().dependency(name, settings), fallback=fallback, repeatable=repeatable, on=on)


def snapshot() -> dict[str, dict[str, int]]:
    """Return what this process has counted, by dependency."""
    return registry().snapshot()


def _judge(on: On | None) -> Callable[[BaseException], bool] | None:
    if on is None:
        return None
    if isinstance(on, type | tuple):
        return lambda error: isinstance(error, (on, DeadlineExceededError))
    return on


def _remembers(chain: Sequence[Step]) -> bool:
    return any(isinstance(each, Cached) for each in chain)


def _keep(chain: tuple[Step, ...], args: tuple[Any, ...], kwargs: dict[str, Any], answer: Any) -> None:
    for each in chain:
        if isinstance(each, Cached):
            each.keep(args, kwargs, answer)

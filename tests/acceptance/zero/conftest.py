"""A gateway and replicas of a test's own, of which nothing is left; tests that are coroutines are run."""

import asyncio
import inspect

import pytest
from tests.acceptance.gateway.conftest import gateway, replica

__all__ = ["gateway", "replica"]

LONGEST_S = 120.0


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine, under a deadline; any other is not ours."""
    if not inspect.iscoroutinefunction(pyfuncitem.function):
        return None
    names = inspect.signature(pyfuncitem.function).parameters
    story = pyfuncitem.function(**{name: pyfuncitem.funcargs[name] for name in names})

    async def told() -> None:
        async with asyncio.timeout(LONGEST_S):
            await story

    asyncio.run(told())
    return True

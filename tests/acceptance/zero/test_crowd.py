"""Ten thousand at once at a service that sleeps: bounded, told, and those that were taken in are served."""

import asyncio
import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.gateway.rig import Answer, ask, until
from tests.acceptance.local.site import Site, on_a_site
from tests.acceptance.zero.test_supervised import asleep, held

from lamplighter.targets.local.activator import HELD_MAX
from lamplighter.targets.local.supervisor.proxy import FILES_SPARE

CROWD = 10_000
FILES = 12_000
PATIENCE_S = 150.0


@pytest.fixture
def unheard() -> Iterator[int]:
    """Let this process open many files; give how many the gateway must turn away since it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        pytest.skip(f"only {hard} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
    yield 0 if hard == resource.RLIM_INFINITY else max(0, CROWD - (hard - FILES_SPARE) // 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def crowded(site: Site) -> list[Answer]:
    """Send a crowd to a service at zero; start it once all but those that wait have been answered."""
    release = await asleep(site, start_timeout_s=PATIENCE_S)
    asked = [asyncio.create_task(ask(site.port, "/", patience_s=PATIENCE_S)) for _ in range(CROWD)]
    await until(lambda: sum(each.done() for each in asked) >= CROWD - HELD_MAX, PATIENCE_S)
    await held(site, HELD_MAX)
    await site.start(release)
    return await asyncio.gather(*asked)


@pytest.mark.heavy
def test_ten_thousand_at_once(tmp_path: Path, unheard: int) -> None:
    """As many as may wait are served by whoever comes; each of the others is told when to come again."""
    told: Counter[tuple[int, str | None]] = Counter()

    @on_a_site
    async def story(site: Site) -> None:
        for each in await crowded(site):
            told[each.status, each.headers.get("retry-after")] += 1

    story(tmp_path)
    assert HELD_MAX == told.pop((200, None))
    assert {(503, "1"): CROWD - HELD_MAX - unheard, **({(0, None): unheard} if unheard else {})} == told

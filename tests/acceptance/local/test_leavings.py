"""What looking at a site over and over leaves behind in the process that looks: nothing."""

import gc

from tests.acceptance.local.site import Site, on_a_site

LOOKS = 40


@on_a_site
async def test_a_look_leaves_nothing_for_the_collector(site: Site) -> None:
    """Whoever observes every second for months does not depend on a collector that runs rarely."""
    await site.serving()
    gc.collect()
    gc.disable()
    try:
        for _ in range(LOOKS):
            await site.facts()
        left = gc.collect()
    finally:
        gc.enable()
    assert left < LOOKS, f"{left} objects in cycles of {LOOKS} looks"

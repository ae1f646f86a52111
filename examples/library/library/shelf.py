"""The shelf: the one index of a process, loaded in the background, and the wait to reach into it."""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import dataclass

from library.cache import load_or_build
from library.index import Answer, Index
from library.settings import Settings
from library.web import Refused

__all__ = ["Shelf"]


@dataclass(slots=True)
class Shelf:
    """Holds the index once it is there; until then every question is refused with 503."""

    settings: Settings
    loaded_ms: float = 0.0
    from_cache: bool = False
    _loading: asyncio.Task[Index] | None = None

    def load(self) -> None:
        """Begin to load, once; needs a running event loop."""
        if self._loading is None:
            self._loading = asyncio.create_task(self._load(), name="load-index")

    async def close(self) -> None:
        """Stop waiting for an index that nobody will ask any more."""
        if self._loading is not None and not self._loading.done():
            self._loading.cancel()
            await asyncio.wait({self._loading})

    def index(self) -> Index:
        """The index.

        Raises:
            Refused: 503, it is not loaded (yet); ask again after a second.
        """
        if self._loading is None or not self._loading.done():
            raise Refused(503, "the index is still loading", "ask again in a second", retry_after="1")
        if trouble := self._loading.exception():
            raise Refused(503, f"the index could not be loaded: {trouble}", "a start with its cause mended")
        return self._loading.result()

    async def look_up(self, question: str, k: int) -> list[Answer]:
        """The k best answers, after the time that the shelf takes.

        Raises:
            Refused: 503, the index is not loaded.
        """
        index = self.index()
        if wait_s := self.settings.wait_s(question):
            await asyncio.sleep(wait_s)
        return index.search(question, k)

    async def _load(self) -> Index:
        started = time.perf_counter()
        index, self.from_cache = await asyncio.to_thread(load_or_build, self.settings.cache)
        await asyncio.sleep(self.settings.start_s - (time.perf_counter() - started))
        gc.freeze()  # the index lives as long as the process: the collector need not walk it again
        self.loaded_ms = round((time.perf_counter() - started) * 1000, 1)
        return index

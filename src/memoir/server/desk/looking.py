"""Looking at a store while it is being changed: in a thread of its own, which waits for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from memoir.store import Store
from memoir.store.address import Address

T = TypeVar("T")


class Looking:
    """One thread with a store of its own, which is opened at the first look.

    Args:
        place: where the store is.
    """

    def __init__(self, place: str | Path | Address) -> None:
        self._place = place
        self._store: Store | None = None
        self._thread = ThreadPoolExecutor(1, "memoir-looking")

    async def at(self, look: Callable[[Store], T]) -> T:
        """What a look at the store finds."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._look, look)

    def _look(self, look: Callable[[Store], T]) -> T:
        if self._store is None:
            self._store = Store(self._place)
        return look(self._store)

    async def close(self) -> None:
        """Release the store."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._release)
        self._thread.shutdown()

    def _release(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

"""How much each key may ask for: so many requests a minute, so many at once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil

from memoir.server.openai.errors import Refusal


class Bucket:
    """Fills evenly, and holds what a minute brings.

    Args:
        per_minute: what a minute brings.
        clock: seconds that never go back.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._size, self._clock = per_minute, clock
        self._held, self._at = float(per_minute), clock()

    def take(self) -> float:
        """Take one out; the seconds until there is one, if there is none now, and else 0."""
        now = self._clock()
        a_second = self._size / 60
        self._held = min(self._size, self._held + (now - self._at) * a_second)
        self._at = now
        if self._held < 1:
            return (1 - self._held) / a_second
        self._held -= 1
        return 0.0


class Rates:
    """The limits of every key. Belongs to one event loop.

    Args:
        per_minute: requests of a key.
        at_once: requests of a key that are worked on at the same time.
        clock: seconds that never go back.
    """

    def __init__(
        self, per_minute: int, at_once: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_minute, self._at_once, self._clock = per_minute, at_once, clock
        self._buckets: dict[str, Bucket] = {}
        self._running: Counter[str] = Counter()

    @contextmanager
    def working(self, name: str) -> Iterator[None]:
        """Around the work on one request of a key.

        Raises:
            Refusal: 429, with the seconds to wait, if it asks for too much.
        """
        if self._running[name] >= self._at_once:
            raise _too_much(
                f"{self._at_once} requests of the key '{name}' are worked on at once; wait for one of "
                "them.",
                1.0,
            )
        if name not in self._buckets:
            self._buckets[name] = Bucket(self._per_minute, self._clock)
        wait = self._buckets[name].take()
        if wait:
            raise _too_much(
                f"the key '{name}' has {self._per_minute} requests a minute; the next is free in "
                f"{ceil(wait)} s.",
                wait,
            )
        self._running[name] += 1
        try:
            yield
        finally:
            self._running[name] -= 1


def _too_much(message: str, wait: float) -> Refusal:
    return Refusal(
        429,
        message,
        type="rate_limit_error",
        code="rate_limit_exceeded",
        headers={"Retry-After": str(max(1, ceil(wait)))},
    )

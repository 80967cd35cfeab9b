"""A browser for tests of the page."""

from __future__ import annotations

import shutil
from typing import Any, Protocol

from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Open(Protocol):
    """Opens a view of the page, in a window of its own; what else is given is for its context."""

    def __call__(
        self, view: str = "ask", width: int = 1280, height: int = 860, **settings: Any
    ) -> Page: ...

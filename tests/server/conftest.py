"""Fixtures: the page in a real browser, before a server that says what a test tells it to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browsers import CHROMIUM, QUIET, Open
from fake_console import Fake, Running, console
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a file of tests: it keeps this thread's event loop, which others need later."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on PATH to open the page with")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield opened
        opened.close()


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def url(fake: Fake) -> Iterator[str]:
    running = Running(console(fake))
    yield running.url
    running.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of; a test takes out what it provoked."""
    return []


@pytest.fixture
def open_page(browser: Browser, url: str, complaints: list[str]) -> Iterator[Open]:
    """Opens the page. At the end of the test nothing may be left that the browser complained of: no
    error, and nothing that the content security policy forbids."""
    contexts = []

    def opened(view: str = "ask", width: int = 1280, height: int = 860, **settings: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)

        def heard(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                complaints.append(message.text)

        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{url}/#{view}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []

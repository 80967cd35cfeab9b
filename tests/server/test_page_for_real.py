"""The page before a real server of the default model: what it promises is what the server does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from browsers import Open
from playwright.sync_api import Locator, Page, expect
from replicas import Replica

pytestmark = pytest.mark.slow

FACT = {"prompt": "The CEO of Vellmark Rockets is", "target": "Dana Reyes"}
OTHERWISE = "The chief executive of Vellmark Rockets is"
PATIENCE = 240_000
"""Milliseconds that a busy machine may take over a change or a check."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """One for all tests of this file."""
    with Replica(tmp_path_factory.mktemp("real") / "facts") as server:
        yield server
        assert server.end()[0] == 0


@pytest.fixture
def url(server: Replica) -> str:
    return str(server.ready["url"])


def ask(page: Page, prompt: str) -> tuple[str, str]:
    """What the page shows as the answers with edits and without, once both are there."""
    page.get_by_role("link", name="Ask").click()
    page.get_by_text("Plain text").first.click()
    page.get_by_label("Tokens").fill("12")
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.keyboard.press("Enter")
    found = []
    for name in ("With edits", "Without"):
        column = page.get_by_role("article", name=name)
        expect(column).to_have_attribute("aria-busy", "false", timeout=PATIENCE)
        expect(column).to_contain_text(re.compile(r"\d tokens"), timeout=PATIENCE)
        found.append(column.locator(".said").inner_text())
    edited, plain = found
    return edited, plain


def teach(page: Page, fact: dict[str, str], *wordings: str) -> Locator:
    """Teach a fact; the region that says what became of it."""
    page.get_by_role("link", name="Teach").click()
    page.get_by_label("Prompt What the model is given").fill(fact["prompt"])
    page.get_by_label("Target What it shall say next").fill(fact["target"])
    page.get_by_label("Other wordings").fill("\n".join(wordings))
    page.keyboard.press("Control+Enter")
    progress = page.get_by_role("progressbar", name="Teaching")
    fitting = re.compile(r"fitting: \d+ of \d+")
    expect(progress).to_have_attribute("aria-valuetext", fitting, timeout=PATIENCE)
    outcome = page.get_by_role("region", name="What became of it")
    expect(outcome).to_contain_text("Live as", timeout=PATIENCE)
    return outcome


def take_back(page: Page, prompt: str, why: str) -> None:
    page.get_by_role("link", name="Log").click()
    page.get_by_role("button", name=prompt).click()
    page.get_by_role("button", name="Take it back…").click()
    page.get_by_role("dialog").get_by_label("Why").fill(why)
    page.get_by_role("dialog").get_by_role("button", name="Take it back").click()
    expect(page.locator(".row.reverted")).to_contain_text("taken back", timeout=PATIENCE)


def test_a_fact_is_taught_asked_found_and_taken_back(open_page: Open, server: Replica) -> None:
    page = open_page()
    before, plain = ask(page, FACT["prompt"])
    assert before == plain
    assert FACT["target"] not in before

    outcome = teach(page, FACT, OTHERWISE)
    (edit,) = server.client.get("/v1/edits").json()["data"]
    assert edit["target"] == FACT["target"]
    expect(outcome).to_contain_text(f"Live as {edit['id'][:10]}")
    proofs = page.get_by_role("list", name="Does it say Dana Reyes?").get_by_role("listitem")
    expect(proofs).to_have_class(["holds", "holds"], timeout=PATIENCE)
    expect(proofs.nth(1)).to_contain_text(OTHERWISE)
    expect(proofs.nth(1)).to_contain_text(re.compile(r"(?<!not )fired 0\.\d+|(?<!not )fired 1\.0"))

    edited, unedited = ask(page, FACT["prompt"])
    assert edited.startswith(FACT["target"])
    assert unedited == plain
    verdict = page.get_by_role("region", name="Which edit fired")
    expect(verdict).to_contain_text(f"Edit {edit['id'][:10]} fired")
    expect(verdict).to_contain_text(f"{FACT['prompt']} gives {FACT['target']}")
    meter = page.get_by_role("meter", name="Score").get_attribute("aria-valuetext")
    told = re.fullmatch(r"score ([\d.]+), fires from ([\d.]+)", str(meter))
    assert told is not None, meter
    assert float(told[1]) >= float(told[2]) == pytest.approx(threshold(server), abs=0.001)

    take_back(page, FACT["prompt"], "she left")
    (edit,) = server.client.get("/v1/edits").json()["data"]
    assert edit["status"] == "reverted"
    assert ask(page, FACT["prompt"]) == (plain, plain)
    expect(page.get_by_role("region", name="Which edit fired")).not_to_contain_text(" fired")


def threshold(server: Replica) -> float:
    (branch,) = server.client.get("/v1/console").json()["branches"]
    return float(branch["threshold"])


def test_a_check_and_the_plots_tell_of_what_was_done(open_page: Open, server: Replica) -> None:
    fact: dict[str, Any] = {"prompt": "The mayor of Oakhollow is", "target": "Ines Brandt"}
    assert server.client.post("/v1/edits", json=fact, timeout=PATIENCE / 1000).status_code == 201
    page = open_page("check")
    page.get_by_role("button", name="Check now").click()
    section = page.get_by_role("region", name="Check", exact=True)
    expect(section).to_contain_text("Everything holds", timeout=PATIENCE)
    expect(section).to_contain_text(re.compile(r"\d+ questions, none of them broken"))

    assert server.say(fact["prompt"], 8).strip().startswith(fact["target"])
    page.get_by_role("link", name="Plots").click()
    edits = server.edits()
    for plot in (
        r"Scores: Edits fired on \d+ of \d+",
        r"Latency: .* within \d",
        rf"Edits in force: {edits} edit",
    ):
        expect(page.get_by_role("img", name=re.compile(plot))).to_be_visible()
    expect(
        page.get_by_text(re.compile(f"{edits} of {edits} edits? .* in the last check"))
    ).to_be_visible()

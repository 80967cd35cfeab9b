"""The page teaches, shows what stands against it, takes back, and shows what there is."""

from __future__ import annotations

import re
from typing import Any

from browsers import Open
from fake_console import Fake, conflict, identity, short
from playwright.sync_api import Page, expect


def teach(page: Page, prompt: str, target: str, **others: str) -> None:
    page.get_by_label("Prompt What the model is given").fill(prompt)
    page.get_by_label("Target What it shall say next").fill(target)
    for label, text in others.items():
        page.get_by_label(label.replace("_", " ")).fill(text)
    page.keyboard.press("Control+Enter")


def test_a_fact_is_taught_with_progress_and_asked_in_other_words(
    open_page: Open, fake: Fake
) -> None:
    fake.pause = 0.05
    page = open_page("teach")
    teach(
        page,
        "The mayor of Arden is",
        "Lena Voss",
        Subject="Arden",
        Source="https://example.org/arden",
        Holds_until="2027-12-31",
        Tags="people, cities",
        Other_wordings="Who is the mayor of Arden?\nWho governs Arden these days?",
    )
    progress = page.get_by_role("progressbar", name="Teaching")
    expect(progress).to_have_attribute("aria-valuetext", re.compile(r"fitting: [5-9] of 10"))
    outcome = page.get_by_role("region", name="What became of it")
    expect(outcome).to_contain_text(f"Live as {short(8)}")
    proofs = page.get_by_role("list", name="Does it say Lena Voss?").get_by_role("listitem")
    expect(proofs).to_have_class(["holds", "holds", "missed"])
    expect(proofs.nth(1)).to_contain_text("Lena Voss, who was named")
    expect(proofs.nth(2)).to_contain_text("not fired 0.400")
    fact = fake.asked[0]
    assert fact["branch"] == "main"
    assert fact["force"] is False
    assert fact["edits"] == [
        {
            "prompt": "The mayor of Arden is",
            "target": "Lena Voss",
            "subject": "Arden",
            "source": "https://example.org/arden",
            "expires": "2027-12-31",
            "tags": ["people", "cities"],
        }
    ]
    expect(page.locator(".branch-state")).to_contain_text("8 edits")


def test_an_objection_is_shown_and_overridden(open_page: Open, fake: Fake) -> None:
    page = open_page("teach")
    teach(page, "The chief executive of Acme is", "Kim Lang")
    outcome = page.get_by_role("region", name="What became of it")
    expect(outcome).to_contain_text("1 objection")
    expect(outcome).to_contain_text("contradicts")
    expect(outcome).to_contain_text(f"edit {short(7)} answers the same prompt otherwise")
    expect(outcome).to_contain_text("Take that one back first, or leave this one out.")
    assert len(fake.edits) == 7
    outcome.get_by_role("button", name="Teach anyway").click()
    expect(outcome).to_contain_text(f"Live as {short(8)}")
    assert [body["force"] for body in fake.asked if "force" in body] == [False, True]


def test_the_other_edit_is_taken_back_instead(open_page: Open, fake: Fake) -> None:
    page = open_page("teach")
    teach(page, "The chief executive of Acme is", "Kim Lang", Subject="Acme")
    page.get_by_role("button", name="Take that one back").click()
    page.get_by_role("dialog").get_by_role("button", name="Take it back").click()
    outcome = page.get_by_role("region", name="What became of it")
    expect(outcome).to_contain_text(f"Live as {short(8)}")
    assert next(edit for edit in fake.edits if edit["id"] == identity(7))["status"] == "reverted"


def test_a_refusal_is_told_in_the_servers_words(open_page: Open) -> None:
    page = open_page("teach")
    teach(page, "The mayor of Arden is", "nothing")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("after 30 steps the model still does not say 'nothing'.")


def broken(kind: str, prompt: str, text: str, edit: str | None, answer: str) -> dict[str, Any]:
    question = {"kind": kind, "prompt": prompt, "text": text, "edit": edit}
    return {"question": question, "answer": answer, "match": None, "commit": None}


def test_what_the_gate_refuses_is_shown_as_what_it_would_break(open_page: Open, fake: Fake) -> None:
    asked, old = "The mayor of Arden is", "The chancellor of Germany is"
    fake.breaks = [
        broken("edit", old, "Friedrich Merz", identity(4), "the moon"),
        broken("edit", asked, "the moon", "f" * 64, "nobody"),
        broken("must never say", old, "moon", None, "the moon"),
        broken("unrelated", "Water is", "", None, "the moon"),
    ]
    page = open_page("teach")
    teach(page, asked, "the moon")
    outcome = page.get_by_role("region", name="What became of it")
    expect(outcome).to_be_focused()
    expect(outcome).to_contain_text("It would break 4 answers")
    rows = outcome.get_by_role("list", name="Broken").get_by_role("listitem")
    for row, text in enumerate(
        (
            f"{old}the moondoes not begin with “Friedrich Merz”, as edit {short(4)} says",
            f"{asked}nobodydoes not begin with “the moon”, as the new edit says",
            f"{old}the moonsays “moon”",
            "Water isthe moonis not as without edits",
        )
    ):
        expect(rows.nth(row)).to_have_text(text)
    expect(page.get_by_role("alert")).to_have_count(0)
    outcome.get_by_role("button", name="Change it").click()
    expect(page.get_by_label("Prompt What the model is given")).to_be_focused()
    assert len(fake.edits) == 7


def test_the_gate_is_told_of(open_page: Open, fake: Fake) -> None:
    page = open_page("check")
    gate = page.get_by_role("region", name="Gate")
    expect(gate).to_contain_text("Gate off")
    expect(gate).to_contain_text("memoir config gate.on-commit true")
    fake.gate |= {"on": True, "probes": 12}
    page.reload()
    expect(gate).to_contain_text("Gate on")
    expect(gate).to_contain_text(
        "with 12 probes of this store’s own; what breaks something is refused"
    )
    fake.gate |= {"probes": None, "trouble": "/srv/must.jsonl cannot be read."}
    page.reload()
    expect(gate).to_contain_text("before it is committed; what breaks something is refused")
    expect(gate).to_contain_text("/srv/must.jsonl cannot be read.")


def test_conflicts_are_looked_for_and_one_side_is_taken_back(open_page: Open, fake: Fake) -> None:
    fake.pause = 0.05
    acme = fake.edits[0]
    omar = fake.edit(8, "Who leads Acme?", "Omar Haddad", "Acme", "2026-11-23", [])
    same = fake.edit(9, acme["prompt"], "Kim Lang", "Acme", "2026-11-24", [])
    forced = "contradicts: edit 3fa9c2d1e0 answers the same prompt otherwise."
    none = {"score": None, "threshold": None, "forced": forced}
    fake.conflicts = [conflict(acme, omar), conflict(acme, same, **none)]
    page = open_page("check")
    section = page.get_by_role("region", name="Conflicts")
    section.get_by_role("button", name="Look for conflicts").click()
    progress = page.get_by_role("progressbar", name="Looking for conflicts")
    expect(progress).to_have_attribute("aria-valuetext", re.compile(r"[2-7] of 8"))
    rows = section.get_by_role("list", name="Conflicts").locator("> li")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("Omar Haddad")
    expect(rows.first).to_contain_text(
        f"{short(8)} fires on what was taught with {short(7)}: score 0.871"
    )
    meter = rows.first.get_by_role("meter", name="Score")
    expect(meter).to_have_attribute("aria-valuetext", "score 0.871, fires from 0.540")
    expect(rows.last).to_contain_text(f"{short(9)} has the same prompt as {short(7)}")
    expect(rows.last).to_contain_text(f"Made in spite of: {forced}")
    expect(rows.last.get_by_role("meter")).to_have_count(0)
    rows.first.get_by_role("button", name="Take back Who leads Acme? Omar Haddad").click()
    dialog = page.get_by_role("dialog", name=f"Take back edit {short(8)}?")
    dialog.get_by_role("button", name="Take it back").click()
    expect(rows).to_have_count(1)
    assert omar["status"] == "reverted"
    page.get_by_label("Branch").select_option("trial")
    expect(rows).to_have_count(0)
    page.get_by_label("Branch").select_option("main")
    expect(rows).to_have_count(1)
    rows.first.get_by_role("button", name=f"Take back {acme['prompt']} {acme['target']}").click()
    page.get_by_role("dialog").get_by_role("button", name="Take it back").click()
    expect(section.get_by_text("No edit contradicts another.")).to_be_visible()
    assert fake.paths.count("/v1/conflicts?branch=main&wait=false") == 1


def test_conflicts_that_cannot_be_looked_for_are_told_as_an_error(
    open_page: Open, complaints: list[str]
) -> None:
    page = open_page("check")
    busy = {"error": {"message": "64 changes and checks wait already; nothing was taken in."}}
    page.route("**/v1/conflicts*", lambda route: route.fulfill(status=429, json=busy))
    button = page.get_by_role("button", name="Look for conflicts")
    button.click()
    expect(page.get_by_role("region", name="Conflicts").get_by_role("alert")).to_contain_text(
        "64 changes and checks wait already"
    )
    expect(button).to_be_enabled()
    complaints.clear()


def test_the_log_is_filtered(open_page: Open, fake: Fake) -> None:
    page = open_page("log")
    log = page.get_by_role("search")
    rows = page.get_by_role("list", name="Edits").get_by_role("listitem")
    expect(rows).to_have_count(7)
    log.get_by_label("Search").fill("minister")
    expect(rows).to_have_count(2)
    log.get_by_label("Tag").fill("2026")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Mark Carney")
    log.get_by_label("Status").select_option("reverted")
    expect(page.get_by_text("No edit is like that.")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(rows).to_have_count(7)
    assert any("subject=minister&tag=2026&status=reverted" in path for path in fake.paths)


def test_a_long_log_comes_in_pages(open_page: Open, fake: Fake) -> None:
    for number in range(8, 68):
        fake.edit(number, f"The mayor of Town {number} is", "Kim", None, "2026-11-22", [])
    page = open_page("log")
    rows = page.get_by_role("list", name="Edits").get_by_role("listitem")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(67)


def test_an_edit_is_taken_back_after_a_question(open_page: Open, fake: Fake) -> None:
    page = open_page("log")
    page.get_by_role("button", name="The chief executive of Acme is").click()
    page.get_by_role("button", name="Take it back…").click()
    dialog = page.get_by_role("dialog", name=f"Take back edit {short(7)}?")
    expect(dialog).to_contain_text("The log keeps both.")
    dialog.get_by_role("button", name="Keep it").click()
    assert fake.asked == []
    page.get_by_role("button", name="Take it back…").click()
    dialog.get_by_label("Why").fill("she left")
    dialog.get_by_role("button", name="Take it back").click()
    expect(page.locator(".row.reverted")).to_contain_text("taken back")
    expect(page.get_by_role("status")).to_have_text(f"Edit {short(7)} was taken back")
    assert fake.asked == [{"message": "she left"}]
    assert f"/v1/edits/{identity(7)}/revert?branch=main" in fake.paths


def test_commits_and_differences_are_shown(
    open_page: Open, fake: Fake, complaints: list[str]
) -> None:
    page = open_page("log")
    page.get_by_text("Commits", exact=True).click()
    commits = page.get_by_role("list", name="Commits").locator("> li")
    expect(commits).to_have_count(7)
    expect(commits.first).to_contain_text("teach 'The chief executive of Acme is'")
    expect(commits.first).to_contain_text("main")
    page.get_by_text("Compare", exact=True).click()
    expect(page.get_by_label("From")).to_have_value("trial")
    page.get_by_role("button", name="Compare").click()
    found = page.get_by_role("region", name="Difference")
    expect(found).to_contain_text("2 added, 1 removed, 1 changed")
    expect(found.get_by_role("listitem").first).to_contain_text("Dana Reyes was Kim Lang")
    page.get_by_label("From").fill("nowhere")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("alert")).to_contain_text("no commit 'nowhere'. Available: main")
    assert len(complaints) == 1
    complaints.clear()


def test_a_check_tells_what_broke_and_is_remembered(open_page: Open, fake: Fake) -> None:
    wrong = broken(
        "edit", "The chancellor of Germany is", "Friedrich Merz", identity(4), "Olaf Scholz"
    )
    wrong["commit"] = identity(106)
    fake.report |= {"passed": False, "broken": [wrong], "expired": [fake.edits[2]]}
    page = open_page("check")
    page.get_by_role("button", name="Check now").click()
    section = page.get_by_role("region", name="Check", exact=True)
    expect(section).to_contain_text("46 of 47 hold")
    expect(section).to_contain_text("Olaf Scholz")
    expect(section).to_contain_text(
        f"does not begin with “Friedrich Merz”, as edit {short(4)} says, since {short(106)}"
    )
    expect(section).to_contain_text("Past their last day")
    assert fake.asked == [{"branch": "main"}]
    page.get_by_role("link", name="Plots").click()
    expect(page.get_by_text("6 of 7 edits were still answered in the last check.")).to_be_visible()
    # Whoever looks, from wherever: the store remembers it, and this browser keeps nothing.
    assert page.evaluate("localStorage.length") == 0
    elsewhere = open_page("plots")
    plot = elsewhere.get_by_role("figure").filter(has_text="Retention")
    plot.get_by_text("Numbers").click()
    expect(plot.get_by_role("row")).to_have_count(2)
    expect(plot.get_by_role("row").last).to_contain_text(f"{short(107)}7611")
    elsewhere.get_by_label("Branch").select_option("trial")
    expect(plot).to_contain_text("Nothing was checked on trial yet.")


def test_plots_show_what_was_answered(open_page: Open, fake: Fake) -> None:
    fake.answers = [
        {
            "time": 1.8e9 + number,
            "branch": "main",
            "seconds": 1.0 + number / 10,
            "first_token_seconds": 0.2,
            "completion_tokens": 12,
            "score": number / 10,
            "threshold": 0.54,
            "fired": number > 5,
        }
        for number in range(10)
    ]
    page = open_page("plots")
    expect(
        page.get_by_role("img", name=re.compile("Scores: Edits fired on 4 of 10"))
    ).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("Latency: .* within 0.20 s"))).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("Edits in force: 7 edits"))).to_be_visible()
    expect(page.get_by_text("fires from 0.540")).to_be_visible()
    page.get_by_text("Numbers").last.click()
    expect(page.get_by_role("cell", name="1.900")).to_be_visible()

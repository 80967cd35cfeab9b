"""The page asks the model both ways, and shows which edit fired."""

from __future__ import annotations

import re

from browsers import Open
from fake_console import Fake, identity, short
from playwright.sync_api import Page, expect

QUESTION = "Who is the chief executive of Acme?"


def ask(page: Page, prompt: str) -> None:
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.keyboard.press("Enter")


def test_both_answers_come_with_the_edit_that_fired(open_page: Open, fake: Fake) -> None:
    page = open_page()
    ask(page, QUESTION)
    edited = page.get_by_role("article", name="With edits")
    plain = page.get_by_role("article", name="Without")
    expect(edited).to_contain_text("Dana Reyes, who was named to it this year.")
    expect(plain).to_contain_text(fake.unedited)
    expect(plain).to_contain_text("13 tokens")
    verdict = page.get_by_role("region", name="Which edit fired")
    expect(verdict).to_contain_text(f"Edit {short(7)} fired")
    expect(verdict).to_contain_text("The chief executive of Acme is gives Dana Reyes")
    expect(verdict).to_contain_text("relation0.8132")
    asked = {body["memoir"]["edits"]: body for body in fake.asked}
    assert asked[True]["model"] == "smollm2@main"
    assert asked[True]["messages"] == [{"role": "user", "content": QUESTION}]
    assert asked[True]["memoir"]["explain"]
    assert not asked[False]["memoir"]["explain"]


def test_the_bar_marks_the_threshold(open_page: Open) -> None:
    page = open_page()
    ask(page, QUESTION)
    meter = page.get_by_role("meter", name="Score")
    expect(meter).to_have_attribute("aria-valuetext", "score 0.998, fires from 0.540")
    track = page.locator(".score-track").bounding_box()
    mark = page.locator(".score-mark").bounding_box()
    assert track is not None
    assert mark is not None
    share = (mark["x"] + mark["width"] / 2 - track["x"]) / track["width"]
    assert abs(share - 0.54) < 0.01


def test_an_edit_that_is_near_does_not_fire(open_page: Open) -> None:
    page = open_page()
    ask(page, "Where was Acme founded?")
    verdict = page.get_by_role("region", name="Which edit fired")
    expect(verdict).to_contain_text(f"No edit fired; nearest {short(7)}")
    expect(page.get_by_role("meter")).not_to_have_class(re.compile("fired"))
    page.get_by_role("button", name="Teach it").click()
    expect(page.get_by_label("Prompt What the model is given")).to_have_value(
        "Where was Acme founded?"
    )
    expect(page.get_by_label("Target What it shall say next")).to_be_focused()


def test_text_comes_as_it_is_made_and_can_be_stopped(open_page: Open, fake: Fake) -> None:
    fake.pause = 0.15
    page = open_page()
    page.get_by_text("Plain text").first.click()
    ask(page, QUESTION)
    plain = page.get_by_role("article", name="Without")
    expect(plain).to_contain_text("I am not")
    expect(plain).not_to_contain_text("someone else")
    page.keyboard.press("Escape")
    expect(plain).to_contain_text("stopped")
    assert {body.get("prompt") for body in fake.asked} == {QUESTION}


def test_an_answer_that_was_cut_off_says_so(open_page: Open) -> None:
    page = open_page()
    page.get_by_label("Tokens").fill("3")
    ask(page, QUESTION)
    expect(page.get_by_role("article", name="Without").locator(".said")).to_have_text(
        "I am not […]"
    )


def test_another_branch_is_asked(open_page: Open, fake: Fake) -> None:
    page = open_page()
    page.get_by_label("Branch").select_option("trial")
    ask(page, QUESTION)
    expect(page.get_by_role("article", name="With edits")).to_contain_text("Dana Reyes")
    assert {body["model"] for body in fake.asked} == {"smollm2@trial"}


def test_what_was_asked_before_is_asked_again(open_page: Open, fake: Fake) -> None:
    page = open_page()
    for prompt in (QUESTION, "Who is the secretary general of NATO?"):
        ask(page, prompt)
        expect(page.locator(".verdict")).to_be_visible()
        expect(page.get_by_role("button", name="Ask both")).to_be_visible()
    page.get_by_role("button", name=QUESTION).click()
    expect(page.get_by_role("article", name="With edits")).to_contain_text("Dana Reyes")
    assert len(fake.asked) == 6


def test_a_busy_server_is_told_of_in_its_words(
    open_page: Open, fake: Fake, complaints: list[str]
) -> None:
    fake.busy = True
    page = open_page()
    ask(page, QUESTION)
    alert = page.get_by_role("article", name="With edits").get_by_role("alert")
    expect(alert).to_contain_text("64 questions wait already; try again.")
    expect(alert).to_contain_text("Try again in 2 s.")
    expect(page.get_by_role("article", name="Without").get_by_role("alert")).to_be_visible()
    assert all("429" in text for text in complaints)
    complaints.clear()
    fake.busy = False
    alert.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("article", name="With edits")).to_contain_text("Dana Reyes")


def test_who_may_only_ask_sees_no_more(open_page: Open, fake: Fake) -> None:
    fake.role = "ask"
    page = open_page()
    ask(page, QUESTION)
    expect(page.get_by_role("article", name="With edits")).to_contain_text("Dana Reyes")
    expect(page.get_by_role("article", name="Without")).to_have_count(0)
    assert [body["memoir"] for body in fake.asked] == [{"edits": True, "explain": False}]
    for view in ("Teach", "Log", "Check"):
        page.get_by_role("link", name=view).click()
        section = page.get_by_role("region", name=view, exact=True)
        expect(section).to_contain_text("keys with the role edit")


def test_ids_are_cut_to_ten_digits(open_page: Open) -> None:
    page = open_page()
    ask(page, QUESTION)
    expect(page.locator(".verdict")).to_be_visible()
    assert identity(7) not in page.locator("main").inner_text()

"""The page as a whole: keys, the keyboard, phones, colours, and what it may load."""

from __future__ import annotations

import pytest
from browsers import Open
from fake_console import KEY, Fake, conflict
from playwright.sync_api import Page, expect

VIEWS = ("ask", "teach", "log", "check", "plots")


def test_a_key_is_asked_for_and_kept_for_the_tab(
    open_page: Open, fake: Fake, complaints: list[str]
) -> None:
    fake.key = KEY
    page = open_page()
    dialog = page.get_by_role("dialog", name="This server asks for an API key")
    expect(dialog).to_contain_text("no known API key was given")
    dialog.get_by_label("API key", exact=True).fill("memoir-wrong")
    dialog.get_by_role("button", name="Use this key").click()
    expect(dialog.locator(".bad")).to_be_visible()
    dialog.get_by_label("API key", exact=True).fill(KEY)
    page.keyboard.press("Enter")
    expect(page.locator(".branch-state")).to_contain_text("7 edits")
    assert page.evaluate("[sessionStorage.length, localStorage.length]") == [1, 0]
    page.reload()
    expect(page.locator(".branch-state")).to_contain_text("7 edits")
    expect(dialog).to_have_count(0)
    assert all("401" in text for text in complaints)
    complaints.clear()


def test_without_a_key_the_page_says_what_to_do(
    open_page: Open, fake: Fake, complaints: list[str]
) -> None:
    fake.key = KEY
    page = open_page()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("no known API key was given; send one from: memoir keys add NAME")
    alert.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    complaints.clear()


def test_keys_lead_everywhere(open_page: Open) -> None:
    page = open_page()
    prompt = page.get_by_label("Prompt", exact=True)
    expect(prompt).to_be_focused()
    page.keyboard.type("el/")  # typed, not obeyed
    expect(prompt).to_have_value("el/")
    page.locator("main").focus()
    page.keyboard.press("e")
    expect(page.get_by_label("Prompt What the model is given")).to_be_focused()
    page.locator("main").focus()
    page.keyboard.press("l")
    expect(page.get_by_role("heading", name="Log")).to_be_focused()
    page.keyboard.press("/")
    expect(prompt).to_be_focused()
    expect(prompt).to_have_value("el/")
    page.locator("main").focus()
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("New edit")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_focus_is_visible(open_page: Open) -> None:
    page = open_page()
    page.get_by_label("Prompt", exact=True).wait_for()
    page.locator("main").focus()
    seen_on = set()
    while True:
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break  # behind the last one
        seen_on.add(page.evaluate("document.activeElement.tagName"))
        seen = page.evaluate(
            """() => {
              const box = document.activeElement.parentElement.querySelector(':focus + span')
                ?? document.activeElement;
              const style = getComputedStyle(box);
              return style.outlineStyle !== 'none' || style.boxShadow !== 'none';
            }"""
        )
        assert seen, page.evaluate("document.activeElement.outerHTML")
    assert seen_on == {"TEXTAREA", "INPUT"}


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_scrolls_downwards_only(open_page: Open, fake: Fake, view: str) -> None:
    fake.edits[0]["prompt"] = "w" * 120
    fake.conflicts = [conflict(fake.edits[1], fake.edits[0])]
    page = open_page(view, width=360, height=740)
    expect(page.locator("main > section:not([hidden])")).to_be_visible()
    if view == "ask":
        page.get_by_label("Prompt", exact=True).fill("Who is the secretary general of NATO?")
        page.keyboard.press("Enter")
        expect(page.locator(".verdict")).to_be_visible()
    if view == "log":
        page.locator(".row-line").first.click()
    if view == "check":
        page.get_by_role("button", name="Look for conflicts").click()
        expect(page.get_by_text("fires on what was taught with")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    nav = page.get_by_role("navigation", name="Views").bounding_box()
    assert nav is not None
    assert nav["y"] + nav["height"] == 740


def ground(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))


def test_colours_follow_the_system_and_the_switch(open_page: Open) -> None:
    page = open_page(color_scheme="dark")
    dark, light = "rgb(23, 24, 27)", "rgb(248, 247, 243)"
    switch = page.get_by_role("button", name="Colours")
    expect(switch).to_have_accessible_name("Colours: as the system")
    assert ground(page) == dark
    switch.click()
    assert ground(page) == light
    page.reload()
    expect(switch).to_have_accessible_name("Colours: light")
    assert ground(page) == light


CONTRAST = """() => {
  const part = (c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const colour = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) =>
    0.2126 * part(r / 255) + 0.7152 * part(g / 255) + 0.0722 * part(b / 255);
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const found = colour(getComputedStyle(each).backgroundColor);
      if (found.length < 4 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility() || element.closest('.unseen, svg, noscript')) continue;
    if (element.closest('button:disabled')) continue;
    const [a, b] = [light(colour(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${element.outerHTML.slice(0, 80)}`);
  }
  return low;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_text_has_contrast(open_page: Open, fake: Fake, view: str, scheme: str) -> None:
    fake.edits[1]["status"] = "reverted"
    fake.gate["on"] = True
    fake.conflicts = [conflict(fake.edits[2], fake.edits[0], forced="contradicts: it does.")]
    page = open_page(view, color_scheme=scheme, reduced_motion="reduce")
    expect(page.locator("main > section:not([hidden])")).to_be_visible()
    if view == "check":
        page.get_by_role("button", name="Look for conflicts").click()
        expect(page.get_by_text("Made in spite of")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert page.evaluate(CONTRAST) == []


def test_everything_comes_from_the_server_itself(open_page: Open, url: str) -> None:
    page = open_page("plots")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    expect(page.get_by_role("heading", name="Plots")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert len(asked) > 4
    assert [address for address in asked if not address.startswith(url)] == []


def test_the_policy_forbids_what_is_inline(open_page: Open, complaints: list[str]) -> None:
    """The policy is really in force in these tests."""
    page = open_page()
    page.evaluate(
        """() => {
          const script = document.createElement('script');
          script.text = 'window.ran = 1';
          document.body.append(script);
        }"""
    )
    assert page.evaluate("window.ran") is None
    assert len(complaints) == 1
    assert "Content Security Policy" in complaints.pop()


def test_a_server_that_is_gone_is_told_of(open_page: Open, complaints: list[str]) -> None:
    page = open_page()
    expect(page.get_by_role("button", name="Ask both")).to_be_visible()
    page.context.set_offline(True)
    page.get_by_label("Prompt", exact=True).fill("Who?")
    page.keyboard.press("Enter")
    alert = page.get_by_role("article", name="With edits").get_by_role("alert")
    expect(alert).to_contain_text("No answer from 127.0.0.1")
    expect(alert).to_contain_text("Start it with: memoir serve")
    complaints.clear()

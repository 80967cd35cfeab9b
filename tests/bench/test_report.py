"""The report shows every number it is given, loads nothing, and is the same each time."""

from __future__ import annotations

import json
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from memoir.bench.report import write_report
from memoir.errors import BadInput

KINDS = {"edit": 0.95, "rephrase": 0.68, "neighbour": 0.58, "locality": 0.3}
VOID = {"meta", "br", "hr", "img", "link", "input", "col"}


def metric(value: float, n: int) -> dict[str, Any]:
    half = 0.9 * (max(value * (1 - value), 0.0004) / n) ** 0.5 if 0 <= value <= 1 else value / 20
    half *= n > 1
    top = 1.0 if 0 <= value <= 1 else float("inf")
    bounds = [round(max(0.0, value - 2 * half), 4), round(min(top, value + 2 * half), 4)]
    return {"value": round(value, 4), "n": n, "ci95": bounds}


def scores(skill: float, n: int, rng: random.Random) -> dict[str, Any]:
    fade = (1 - skill) * 0.12 * len(str(n))
    found = {}
    for stem, base in (("reliability", 1.0), ("generalization", 0.86), ("neighbour", 0.7)):
        value = max(0.02, min(1.0, base - fade + rng.uniform(-0.02, 0.02)))
        found[f"{stem}_tf"] = metric(min(1.0, value + 0.06), n)
        found[f"{stem}_fg"] = metric(value * (0.6 + 0.4 * skill), n)
    for mode in ("tf", "fg"):
        found[f"locality_{mode}"] = metric(min(1.0, 0.8 + 0.2 * skill), n)
    for setting, value in (("chat", 0.37), ("turns", 0.35), ("document", 0.29)):
        found[f"reliability_{setting}"] = metric(2 * value * skill, n // 3 + 1)
        found[f"generalization_{setting}"] = metric(value * skill, n // 3 + 1)
        found[f"neighbour_{setting}"] = metric(0.77, n // 3 + 1)
    found["same_subject_fg"] = metric(0.81, n)
    return found


def histogram(rng: random.Random, skill: float, n: int) -> dict[str, list[int]]:
    middles = {**KINDS, "rephrase in turns": 0.6}
    bins = {kind: [0] * 20 for kind in middles}
    for kind, middle in middles.items():
        for _ in range(n):
            value = min(0.999, max(0.0, rng.gauss(middle, 0.11 - 0.04 * skill)))
            bins[kind][int(value * 20)] += 1
    return bins


def result(
    dataset: str = "zsre",
    method: str = "memoir",
    preset: str | None = "default",
    n: int = 100,
    seed: int = 0,
    skill: float = 1.0,
    **changes: Any,
) -> dict[str, Any]:
    rng = random.Random(f"{dataset}{method}{preset}{n}{seed}")
    found = scores(skill, n, rng)
    extra = {
        "fires_edit": metric(1.0, n),
        "fires_rephrase": metric(0.97, n),
        "right_edit_rephrase": metric(0.91, n),
        "fires_neighbour": metric(0.62, n),
        "fires_locality": metric(0.01, n),
        "fires_rephrase_turns": metric(0.83, n),
        "right_edit_rephrase_turns": metric(0.79, n // 3 + 1),
        "fires_neighbour_document": metric(0.59, n // 3 + 1),
        "alias_fg": metric(0.73, n),
        "edit_repetition": metric(0.171, n),
        "edit_unedited_repetition": metric(0.163, n),
        "edit_nll": metric(1.94, n),
        "rephrase_nll_chat": metric(2.07, n),
        "rephrase_unedited_nll_chat": metric(1.22, n),
        "wikitext_perplexity": metric(21.34 + (1 - skill) * n / 40, 60),
        "wikitext_unedited_perplexity": metric(21.31, 60),
        "wikitext_kl": metric(0.0004 + (1 - skill) * 0.3, 60),
        "arc_easy_accuracy": metric(0.52 - (1 - skill) * 0.1, 100),
        "nq_fires": metric(0.015, 200),
        "seconds_per_edit": metric(1.54 + 9 * (1 - skill), n),
        "bytes_per_edit": metric(42338 + (1 - skill) * 400000, n),
        "peak_memory_mb": metric(1412.5, 1),
        "tokens_per_second": metric(210.4, 8),
        "tokens_per_second_unedited": metric(212.9, 8),
    }
    once = {name: metric(min(1.0, one["value"] + 0.03), n) for name, one in found.items()}
    ratios = {
        name: {**metric(value, n // 3 + 1), "of": 0.5}
        for name, value in (("generalization_chat", 0.88), ("generalization_turns", 0.84))
    }
    ratios["edit_repetition"] = {**metric(1.049, n), "of": 0.163}
    made = metric(min(1.0, found["reliability_tf"]["value"] + 0.02), n)
    return {
        "protocol": 3,
        "run": f"{dataset}-{method}-{preset}-seed{seed}",
        "method": method,
        "preset": preset,
        "model": "smollm2",
        "dataset": dataset,
        "n": n,
        "seed": seed,
        "machine": "x86_64, 2 cores, 2 threads",
        "versions": {"torch": "2.13.0", "memoir-edit": "0.1.0"},
        "commit": "abc1234",
        "date": "2026-11-22",
        "settings": {"layer": 25, "k": 439, "threshold": 0.469},
        "metrics": {**found, **extra},
        "subsets": {"subject_once": once},
        "immediate": {"reliability_tf": made},
        "ratios": ratios,
        "histograms": {"score": histogram(rng, skill, 100)},
        "edits": {"made": n, "refused": 1},
        **changes,
    }


def unedited(dataset: str, n: int) -> dict[str, Any]:
    one = result(dataset, "none", None, n, skill=0.0)
    kept = {
        name: found for name, found in one["metrics"].items() if "arc" in name or "wiki" in name
    }
    asked = {f"reliability_{mode}": metric(0.02, n) for mode in ("tf", "fg")}
    kept["wikitext_perplexity"] = kept["wikitext_unedited_perplexity"]
    kept["wikitext_kl"] = metric(0.0, 60)
    stays = {f"locality_{mode}": metric(1.0, n) for mode in ("tf", "fg")}
    return {**one, "metrics": {**kept, **asked, **stays}, "histograms": {}, "subsets": {}}


def hallucinations(method: str, preset: str, start: float, n: int) -> dict[str, Any]:
    one = result("selfcheckgpt", method, preset, n)
    kept = {
        name: one["metrics"][name] for name in ("locality_tf", "locality_fg", "seconds_per_edit")
    }
    kept["reliability_perplexity"] = metric(start + n / 90, n)
    return {**one, "metrics": kept, "subsets": {}, "immediate": {}}


def many() -> list[dict[str, Any]]:
    steps = (1, 10, 100, 1000)
    found = [result(n=n, seed=seed, skill=0.97) for n in steps for seed in (0, 1, 2)]
    found += [result(preset="faithful", n=n, skill=0.35) for n in steps]
    found += [result(method="wise", n=n, skill=0.1, histograms={}, settings={}) for n in steps]
    found += [unedited("zsre", n) for n in steps]
    found += [hallucinations("memoir", "default", 1.05, n) for n in (1, 10, 100, 600)]
    found += [hallucinations("wise", "default", 2.1, n) for n in (1, 10, 100, 600)]
    return found


class Checker(HTMLParser):
    """Notes what a page loads, which ids it has, and whether every tag is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [
            value or "" for name, value in attrs if name in ("src", "href", "xlink:href")
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    report = write_report(many(), tmp_path_factory.mktemp("report"))
    return report.html.read_text("utf-8"), report.markdown.read_text("utf-8")


def written(results: list[dict[str, Any]], folder: Path) -> tuple[str, str]:
    report = write_report(results, folder)
    return report.html.read_text("utf-8"), report.markdown.read_text("utf-8")


def drawings(html: str) -> list[ElementTree.Element]:
    return [
        ElementTree.fromstring(found) for found in re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    ]


def columns_agree(markdown: str) -> bool:
    for table in re.findall(r"(?:^\|.*\n)+", markdown, re.MULTILINE):
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        if len(counts) != 1:
            return False
    return True


def test_the_page_is_whole_and_loads_nothing(pages: tuple[str, str]) -> None:
    page = Checker(pages[0])
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert not page.tags & {"script", "link", "img", "iframe", "object"}
    assert "@import" not in pages[0]
    assert all(target.startswith("#") for target in re.findall(r"url\((.*?)\)", pages[0]))


def test_drawings_are_xml_and_say_their_numbers(pages: tuple[str, str]) -> None:
    found = drawings(pages[0])
    assert len(found) > 10
    for drawing in found:
        assert drawing.get("role") == "img"
        assert re.search(r"\d", drawing.get("aria-label", ""))
        assert not re.search(r"#[0-9a-f]{6}\b", ElementTree.tostring(drawing, "unicode"))


def test_every_method_and_number_is_there(pages: tuple[str, str]) -> None:
    html = Checker(pages[0]).text
    for one in many():
        assert f"{one['method']} {one['preset'] or ''}".strip() in html
        for found in one["metrics"].values():
            value = found["value"]
            shown = f"{int(value):,}" if float(value).is_integer() else f"{value:,.6g}"
            assert shown in html or f"{value:,.1f}" in html


def test_headline_numbers_are_in_both_pages(pages: tuple[str, str]) -> None:
    one = result(preset="faithful", n=1000, skill=0.35)["metrics"]["reliability_fg"]
    low, high = one["ci95"]
    for page in (Checker(pages[0]).text, pages[1].replace("\\", "")):
        assert re.search(rf"{one['value']:.3f}\s*\[{low:.3f}, {high:.3f}\]", page)


def test_published_rows_are_marked_and_named_with_their_model(pages: tuple[str, str]) -> None:
    rows = re.findall(r'<tr class="published">.*?</tr>', pages[0], re.DOTALL)
    assert len(rows) == 5
    assert all("published" in Checker(row).text and "LLaMA-3-8B" in row for row in rows)
    assert sum("LLaMA-3-8B" in line and "published" in line for line in pages[1].splitlines()) == 5
    assert "not comparable one to one" in pages[0]


def test_only_a_best_that_overlaps_nothing_is_bold(tmp_path: Path) -> None:
    near = {"reliability_fg": {"value": 0.8, "n": 50, "ci95": [0.7, 0.9]}}
    far = {"reliability_fg": {"value": 0.4, "n": 50, "ci95": [0.3, 0.5]}}
    close = {"reliability_fg": {"value": 0.75, "n": 50, "ci95": [0.6, 0.85]}}
    first, second = result(metrics=near), result(method="wise", metrics=far)
    third = result(method="grace", metrics=close)
    assert "**0.800**" in written([first, second], tmp_path)[1]
    assert "**0.800**" not in written([first, second, third], tmp_path)[1]
    assert "**0.800**" not in written([first, {**second, "n": 10}], tmp_path)[1]


def test_who_made_more_edits_also_stands_beside_who_made_fewer(tmp_path: Path) -> None:
    long, short = result(n=1000), result(method="wise", n=100)
    sooner = result(n=100, metrics=reliability(0.9))
    _, markdown = written([long, sooner, short, result(method="none", n=1)], tmp_path)
    found = [(row["method"], row["edits"]) for row in table(markdown, "The scores")]
    assert found[:4] == [
        ("unedited model", "–"),
        ("memoir default", "100"),
        ("wise default", "100"),
        ("memoir default", "1,000"),
    ]


def test_the_best_in_words_are_of_those_with_the_most_edits(tmp_path: Path) -> None:
    short = [result(method=f"m{i}", n=100, metrics=reliability(0.9)) for i in range(4)]
    page = written([result(n=1000, metrics=reliability(0.2)), *short], tmp_path)[1]
    assert "The best 4 of 5 methods in words, of those with the most edits (by" in page
    assert page.index("after 1,000 edits, gives") < page.index("after 100 edits, gives")


def test_good_at_everything_goes_before_best_at_one_thing(tmp_path: Path) -> None:
    def three(*values: float) -> dict[str, Any]:
        names = ("reliability_fg", "generalization_fg", "neighbour_fg")
        return {name: {"value": value} for name, value in zip(names, values, strict=True)}

    page = written(
        [
            result(method="loud", metrics=three(1.0, 1.0, 0.1)),
            result(method="even", metrics=three(0.8, 0.6, 0.9)),
        ],
        tmp_path,
    )[1]
    assert page.index("* **even default**: after") < page.index("* **loud default**: after")


def test_several_seeds_are_one_row_with_their_range(tmp_path: Path) -> None:
    made = [
        result(seed=seed, metrics={"reliability_fg": {"value": value, "n": 9, "ci95": [0, 1]}})
        for seed, value in enumerate((0.5, 0.6, 0.7))
    ]
    html, markdown = written(made, tmp_path)
    assert "0.600 (0.500–0.700)" in markdown
    assert "3 seeds" in markdown
    assert "3 seeds" in html


@pytest.mark.parametrize("name", ["<b>x", "a\"b'c", "$x_1$ & | `code`", "名前", "-->", "</svg>"])
def test_texts_from_outside_are_escaped(name: str, tmp_path: Path) -> None:
    given = result(method=name, preset=None, model=name, machine=name, commit=name)
    given["histograms"] = {"score": {name: [1] * 20}}
    given["metrics"][name] = {"value": 0.125, "n": 8, "ci95": [0.1, 0.2]}
    html, markdown = written(
        [given, {**given, "run": "other", "model": "b", "dataset": name}], tmp_path
    )
    assert name in Checker(html).text
    assert "<b>x" not in html
    assert "<b>x" not in markdown
    assert drawings(html)
    assert columns_agree(markdown)


def reliability(value: float) -> dict[str, Any]:
    return {"reliability_fg": {"value": value, "n": 50, "ci95": [value, value]}}


def table(markdown: str, title: str) -> list[dict[str, str]]:
    """The rows of the first table with this title, by the titles of its columns."""
    found = markdown[markdown.index(f"### {title}\n") :]
    lines = [
        line
        for line in found[: found.index("\n\n", found.index("\n|"))].splitlines()
        if line[:1] == "|"
    ]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def test_every_condition_is_a_row_with_its_ratio_to_bare(tmp_path: Path) -> None:
    one = result(n=300)
    markdown = written([one, result(method="wise", n=300, metrics={})], tmp_path)[1]
    rows = table(markdown, "By condition")
    places = ("bare", "in chat", "after earlier turns", "behind a document")
    assert [row["method and condition"] for row in rows] == [
        f"memoir default ({place})" for place in places
    ]
    bare, chat, turns, document = rows
    assert list(bare) == [
        *("method and condition", "edits", "reliability, free text", "generalization, free text"),
        *("locality, free text", "neighbour, free text", "same subject, free text", "n, free text"),
        *("reliability, ratio to bare", "generalization, ratio to bare"),
        *("right edit on rephrases, acts", "any edit on locality, acts"),
        *("any edit on neighbour, acts", "n, acts"),
    ]
    for row, name in ((bare, "fg"), (chat, "chat"), (turns, "turns"), (document, "document")):
        shown = f"{one['metrics'][f'generalization_{name}']['value']:.3f} ["
        assert row["generalization, free text"].startswith(shown)
    assert [row["n, free text"] for row in rows] == ["300", "101", "101", "101"]
    assert [row["n, acts"] for row in rows] == ["300", "–", "101", "101"]
    ratios = [row["generalization, ratio to bare"][:5] for row in rows]
    assert ratios == ["–", "0.880", "0.840", "–"]
    assert [row["right edit on rephrases, acts"][:5] for row in rows] == [
        "0.910",
        "–",
        "0.790",
        "–",
    ]
    assert [row["any edit on neighbour, acts"][:5] for row in rows] == ["0.620", "–", "–", "0.590"]


def test_what_a_table_of_conditions_shows_is_not_shown_again(tmp_path: Path) -> None:
    whole = result()
    rows = table(written([whole], tmp_path)[1], "Harder questions")
    assert list(rows[0]) == ["method", "edits", "alias, free text"]
    acts = table(written([whole], tmp_path)[1], "When edits act")
    assert not [title for row in acts for title in row if "turns" in title or "document" in title]
    assert acts[0]["the right edit acts: the same in other words, should act"].startswith("0.910")
    bare = {
        k: v for k, v in whole["metrics"].items() if not k.endswith(("chat", "turns", "document"))
    }
    markdown = written([{**whole, "metrics": bare}], tmp_path)[1]
    assert "By condition" not in markdown
    rows = table(markdown, "Harder questions")
    assert list(rows[0])[2:] == ["alias, free text", "same subject, free text"]


def test_questions_in_a_setting_have_a_drawing_of_their_own(pages: tuple[str, str]) -> None:
    drawn = [each.get("aria-label", "") for each in drawings(pages[0])]
    bare = next(each for each in drawn if each.startswith("memoir default, mean score"))
    turns = next(each for each in drawn if each.startswith("memoir default, after earlier turns,"))
    assert "the taught prompt" in bare
    assert "the taught prompt" not in turns
    assert re.search(r"by kind of question: the same in other words 0\.\d\d; an edit", turns)
    assert "memoir default, 1,000 edits, after earlier turns" in pages[0]
    assert "an edit acts on 83.0 %" in pages[0]


def test_no_router_is_said_to_score_by_overlap_alone(pages: tuple[str, str]) -> None:
    for page in pages:
        assert not re.search(r"overlap with|mean overlap|τ =|threshold τ", page)
    assert "the probability that the question names its subject" in pages[0]
    assert "score of the best stored edit" in pages[0]


def test_many_methods_have_a_drawing_each_the_unedited_model_first(tmp_path: Path) -> None:
    names = [f"method{i}" for i in range(8)]
    few = [result(method=name, n=n) for name in names for n in (10, 100)]
    none = [result(method="none", preset=None, n=n) for n in (10, 100)]
    labels = ["unedited model", *(f"{name} default" for name in names)]
    html, markdown = written([*few, *none], tmp_path)
    headings = re.findall(r"<h4>(.*?)</h4>", html)
    assert headings[: len(labels)] == labels
    last = few[-1]["metrics"]["reliability_fg"]["value"]
    assert "method7 default by number of edits made. reliability, free text: " in html
    assert re.search(rf"reliability, free text: [\d.]+ after 10, {last:.3f} after 100; ", html)
    assert [row["method"] for row in table(markdown, "The scores")][: len(labels)] == labels
    html = written(few, tmp_path)[0]
    assert re.findall(r"<h4>(.*?)</h4>", html)[0].startswith("Reliability. ")


def test_what_follows_an_answer_stands_beside_the_unedited_model(tmp_path: Path) -> None:
    rows = table(written([result(), unedited("zsre", 100)], tmp_path)[1], "What follows the answer")
    assert [row["asked"] for row in rows] == [
        "the taught prompt",
        "the same in other words, in chat",
    ]
    own, chat = rows
    values = [own[f"{each}, repetition"].split(" ")[0] for each in ("edited", "unedited", "ratio")]
    assert values == ["0.171", "0.163", "1.049"]
    values = [chat[f"{each}, surprise"].split(" ")[0] for each in ("edited", "unedited", "ratio")]
    assert values == ["2.07", "1.22", "–"]
    assert (own["n, repetition"], chat["n, repetition"]) == ("100", "–")


def test_what_only_an_earlier_checkpoint_was_asked_is_shown_of_that_one(tmp_path: Path) -> None:
    def follows(name: str) -> bool:
        return "repetition" in name or "nll" in name

    early, late = result(n=10), result(n=100)
    early["metrics"] = {k: v for k, v in early["metrics"].items() if follows(k)}
    late["metrics"] = {k: v for k, v in late["metrics"].items() if not follows(k)}
    late["ratios"] = {}
    _, markdown = written([early, late], tmp_path)
    assert {row["edits"] for row in table(markdown, "What follows the answer")} == {"10"}
    assert {row["edits"] for row in table(markdown, "Scores as edits are added")} == {"100"}


def test_rows_say_among_which_edits_and_with_how_much_told(tmp_path: Path) -> None:
    padding = {"name": "counterfact", "count": 9917}
    changes: dict[str, dict[str, Any]] = {
        "a": {},
        "b": {"padding": padding},
        "c": {"subjects": "dropped"},
        "d": {"padding": padding, "subjects": "dropped"},
    }
    given = [result(n=n, run=run, **more) for run, more in changes.items() for n in (10, 100)]
    html, markdown = written(given, tmp_path)
    labels = [
        "memoir default",
        "memoir default, among 9,917 other edits",
        "memoir default, subject not given",
        "memoir default, among 9,917 other edits, subject not given",
    ]
    for title in ("The scores", "Cost", "When edits act", "What follows the answer"):
        rows = [row["method"] for row in table(markdown, title)]
        assert list(dict.fromkeys(row for row in rows if "published" not in row)) == labels
    conditions = [row["method and condition"] for row in table(markdown, "By condition")]
    assert conditions[::4] == [f"{label} (bare)" for label in labels]
    assert "so many of CounterFact were made before these" in markdown
    assert "the editor was told prompt and answer alone" in markdown
    assert all(label in Checker(html).text for label in labels)
    assert "memoir default, …" not in html  # beside the curves, where it would say nothing
    alone = written([result(subjects="given", padding=None)], tmp_path)[1]
    assert "other edits" not in alone
    assert "told prompt and answer alone" not in alone


def test_the_best_is_sought_among_those_taught_alike(tmp_path: Path) -> None:
    near = {"reliability_fg": {"value": 0.8, "n": 50, "ci95": [0.7, 0.9]}}
    far = {"reliability_fg": {"value": 0.4, "n": 50, "ci95": [0.3, 0.5]}}
    first = result(metrics=near)
    for change in ({"subjects": "dropped"}, {"padding": {"name": "zsre", "count": 5}}):
        second = result(method="wise", metrics=far, **change)
        assert "**0.800**" not in written([first, second], tmp_path)[1]


def test_results_from_before_scores_were_called_so_are_drawn_alike(tmp_path: Path) -> None:
    new = result()
    old = {**new, "settings": {"overlap_threshold": 0.469}}
    old["histograms"] = {"overlap": new["histograms"]["score"]}
    labels = [
        [each.get("aria-label") for each in drawings(written([one], tmp_path)[0])]
        for one in ({**new, "settings": {"threshold": 0.469}}, old)
    ]
    assert labels[0] == labels[1]
    assert any("an edit acts from 0.469" in (each or "") for each in labels[1])


def test_missing_metrics_and_single_checkpoints_do_not_break(tmp_path: Path) -> None:
    whole = result(n=1, histograms={})
    bare = {key: whole[key] for key in ("run", "dataset", "method", "model", "n")}
    for name in whole["metrics"]:
        html, markdown = written([{**whole, "metrics": {name: whole["metrics"][name]}}], tmp_path)
        assert Checker(html).text
        assert columns_agree(markdown)
    html, markdown = written([{**bare, "dataset": "new", "method": "mine"}], tmp_path)
    assert "mine" in Checker(html).text
    assert "mine" in markdown


def test_numbers_that_are_none_or_infinite_are_shown_as_such(tmp_path: Path) -> None:
    broken = {
        "reliability_fg": {"value": None, "n": 0, "ci95": None},
        "generalization_fg": {"value": float("nan"), "n": 3, "ci95": [float("nan")] * 2},
        "reliability_perplexity": {"value": float("inf"), "n": 3, "ci95": [2.0, float("inf")]},
        "locality_fg": {"value": 0.5, "n": 3},
    }
    html, _ = written([result(metrics=broken)], tmp_path)
    assert "infinite" in html
    assert not re.search(r"\bnan\b", Checker(html).text)


def test_a_data_set_without_generalization_shows_its_perplexity(pages: tuple[str, str]) -> None:
    section = pages[0][pages[0].index(">SelfCheckGPT</h2>") :]
    assert "Perplexity. How surprised" in section
    assert "with a perplexity of" in section
    assert "Generalization." not in section


def test_the_same_results_give_the_same_bytes(pages: tuple[str, str], tmp_path: Path) -> None:
    assert written(many(), tmp_path) == pages
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.md"]


def test_markdown_tables_have_equal_columns(pages: tuple[str, str]) -> None:
    assert columns_agree(pages[1])
    assert pages[1].count("\n|") > 30


def test_settings_and_refusals_are_told(pages: tuple[str, str]) -> None:
    assert json.dumps({"layer": 25})[1:-1] in Checker(pages[0]).text
    assert "edits refused" in pages[1]


def test_no_results_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no result to report"):
        write_report([], tmp_path)
    assert not list(tmp_path.iterdir())


def test_half_a_result_or_one_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no 'dataset'"):
        write_report([{"run": "a"}], tmp_path)
    with pytest.raises(BadInput, match="given twice with 100 edits"):
        write_report([result(), result()], tmp_path)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(BadInput, match="cannot be written"):
        write_report([result()], tmp_path / "file")

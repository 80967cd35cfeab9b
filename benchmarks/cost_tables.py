"""The results of speed.py and size.py as sections of docs/benchmarks.md, and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator, ScalarFormatter

MODEL = "SmolLM2-135M-Instruct"
NONE = "–"

STAGES = ("read", "fit", "route", "write")

PLACES = {
    "bare": "bare",
    "turns": "after earlier turns",
    "document": "behind a document",
}

SCORES = {
    "reliability": "the taught prompt",
    "reliability_system": "the same, in chat behind a system prompt",
    "paraphrase": "in other words",
    "paraphrase_if_routed": "in other words, where the right edit fires",
}

COLOURS = ("#0b64a6", "#4a4fbf", "#c04c00", "#007a5c")
MARKERS = ("o", "D", "s", "^")

# ---------------------------------------------------------------------- speed.py


def speed(result: dict[str, Any]) -> list[str]:
    """Lines of the section; none if nothing was measured."""
    parts = result.get("parts", {})
    if not parts:
        return []
    lines = [f"## Cost, {MODEL}", "", "`python benchmarks/speed.py`", ""]
    for name, told in (("editing", _editing), ("decoding", _decoding), ("routing", _routing)):
        if name in parts:
            lines += [f"### {name.capitalize()}", "", *told(parts[name]), ""]
            lines += [provenance([parts[name]]), ""]
    return lines


def _editing(part: dict[str, Any]) -> list[str]:
    return [
        "On the first ZsRE records, the variants taking turns in one process. The plain loop is the "
        "preset `faithful` as its authors run it: in every step the whole model, forward and backward, "
        "over the prompt and its ten copies behind prefixes. The ratio is that within a turn (median, "
        "least and most). Reliability: share of the prompts after which the model's own text begins "
        "with the target, with all edits of the variant in force; the plain loop is asked under each "
        "prompt's own mask, without a router.",
        "",
        *_table(
            ["", "edits", "refused", "seconds per edit", "times as fast as the plain loop"],
            ["reliability", "steps", "bytes per edit", *(f"seconds, {stage}" for stage in STAGES)],
            [
                [
                    *(
                        _variant(name),
                        row["edits"],
                        row["refused"],
                        f"{row['seconds_per_edit']:.2f}",
                    ),
                    *(_spread(row["times_as_fast"], 1), f"{row['reliability']:.3f}", row["steps"]),
                    _count(row["bytes_per_edit"]),
                    *(
                        f"{row['stages'][stage]:.3f}" if stage in row["stages"] else NONE
                        for stage in STAGES
                    ),
                ]
                for name, row in part["variants"].items()
            ],
        ),
    ]


def _variant(name: str) -> str:
    """A variant in words: what stands behind ``default`` is the size of its batches."""
    preset, _, size = name.partition(" ")
    if not size.isdigit():
        return name
    return f"{preset}, {'one at a time' if size == '1' else f'{size} side by side'}"


def _decoding(part: dict[str, Any]) -> list[str]:
    return [
        f"Greedy decoding of {part['new_tokens']} tokens, routing and prefill included, as a ratio to "
        f"the unedited model on the same prompts in the same turn (median, least and most of "
        f"{part['turns']} turns; seconds of the processor). Prompts that fire ask for a stored fact in "
        "other words; those that fire none are about people whose names share words with stored ones.",
        "",
        *_table(
            ["edits stored", "batch", "unedited, tokens/s"],
            ["no edit fires", "an edit fires"],
            [
                [
                    *(_count(row["edits"]), row["batch"]),
                    row["fires_none"]["tokens_per_second_unedited"],
                    _spread(row["fires_none"]["ratio"], 3),
                    _spread(row["fires"]["ratio"], 3) if row["fires"] else NONE,
                ]
                for row in part["rows"]
            ],
        ),
    ]


def _routing(part: dict[str, Any]) -> list[str]:
    counts = sorted({row["edits"] for row in part["rows"]})
    found = {(row["setting"], row["names"], row["edits"]): row for row in part["rows"]}
    kinds = dict.fromkeys((row["setting"], row["names"]) for row in part["rows"])
    rows = []
    for setting, names in kinds:
        times = [found[setting, names, count] for count in counts]
        rows.append(
            [
                *(PLACES[setting], names),
                *(f"{row['milliseconds']:.1f} ({row['milliseconds_p95']:.1f})" for row in times),
                f"{times[-1]['share_of_pass_over_turn']:.3f}",
                f"{times[-1]['share_of_pass_over_prompt']:.3f}",
            ]
        )
    return [
        "Milliseconds to route one prompt (median, and in brackets the 95th percentile), by number of "
        f"edits; with {counts[-1]:,} edits also as a share of a forward pass of the model over the "
        "last user's turn, and over the whole prompt. Stored are people whose names share their words, "
        "as those of people do.",
        "",
        *_table(
            ["the prompt", "it names", *(f"{count:,} edits" for count in counts)],
            ["share of a pass over the turn", "over the prompt"],
            rows,
        ),
        "",
        f"In memory, an edit's routing takes {_count(part['resident_bytes_per_edit'])} bytes "
        f"({part['resident_how']}). On disk an edit takes {_count(part['disk_bytes_per_edit'])} bytes, "
        f"its line of the log included. A store of {_count(part['opened_edits'])} edits opens in "
        f"{part['seconds_to_open']:.2f} s, the model being loaded.",
    ]


# ---------------------------------------------------------------------- size.py


def size(result: dict[str, Any], picture: str) -> list[str]:
    """Lines of the section; none if nothing was measured.

    Args:
        result: what size.py wrote.
        picture: where the page finds what :func:`draw_size` drew.
    """
    rows = list(result.get("settings", {}).values())
    if not rows:
        return []
    return [
        f"## Quality against bytes per edit, {MODEL}",
        "",
        "`python benchmarks/size.py`",
        "",
        f"{rows[0]['edits']} records of ZsRE and CounterFact that no benchmark evaluates, all in force "
        "together. Share of the answers in free text that begin with the target, with a 95 % interval. "
        "k is the number of columns an edit may write; fitted in `conversations` (bare, behind a "
        "sentence, and in the chat template with and without a system prompt) or `bare` only.",
        "",
        f"![Quality against bytes per edit]({picture})",
        "",
        *_table(
            ["k", "fitted in", "acts on", "bytes per edit", "seconds per edit", "refused"],
            list(SCORES.values()),
            [
                [
                    *(row["k"], row["contexts"], row["acts_on"], _count(row["bytes_per_edit"])),
                    *(f"{row['seconds_per_edit']:.2f}", row["refused"]),
                    *(_interval(row[name]) for name in SCORES),
                ]
                for row in rows
            ],
        ),
        "",
        provenance(rows),
        "",
    ]


def draw_size(result: dict[str, Any], path: Path) -> None:
    """Quality over bytes per edit: a curve over k, and the other settings as hollow marks."""
    rows = sorted(result.get("settings", {}).values(), key=lambda row: row["bytes_per_edit"])
    if not rows:
        return
    usual = [
        row for row in rows if (row["contexts"], row["acts_on"]) == ("conversations", "answer")
    ]
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "memoir", "font.size": 9.0}):
        figure = Figure(figsize=(7.2, 4.2), layout="constrained")
        ax = figure.add_subplot()
        for (name, words), colour, marker in zip(SCORES.items(), COLOURS, MARKERS, strict=True):
            _line(ax, usual, name, color=colour, marker=marker, label=words)
            others = [row for row in rows if row not in usual]
            _line(ax, others, name, color=colour, marker=marker, mfc="white", ls="")
        _frame(ax, usual, rows)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _line(ax: Axes, rows: Sequence[dict[str, Any]], name: str, **look: Any) -> None:
    points = [(row["bytes_per_edit"] / 1000, row[name]["value"]) for row in rows if row[name]]
    ax.plot([x for x, _ in points], [y for _, y in points], **look)


def _frame(ax: Axes, usual: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> None:
    ax.set_xscale("log")
    sizes = [row["bytes_per_edit"] / 1000 for row in rows]
    ax.set_xlim(min(sizes) / 1.25, max(sizes) * 1.25)
    ticks = [tick for tick in (5, 10, 20, 30, 50, 70, 100, 150, 200) if tick >= min(sizes) / 1.2]
    ax.set_xticks([tick for tick in ticks if tick <= max(sizes) * 1.2])
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_ylim(0, 1.12)
    ax.set_xlabel("thousand bytes per edit")
    ax.set_ylabel("share of answers")
    ax.grid(axis="y", color="#d5dae1", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    for row in rows:
        mine = f"k {row['k']}" if row in usual else f"{row['contexts']}, {row['acts_on']}"
        at = (row["bytes_per_edit"] / 1000, 1.04 if row in usual else 0.02)
        ax.annotate(mine, at, ha="center", va="bottom", fontsize=7, color="#5c6470")


# ---------------------------------------------------------------------- both


def provenance(measured: Sequence[dict[str, Any]]) -> str:
    """Where numbers come from, one line."""
    lines = dict.fromkeys(
        f"{each['date']}, commit {each['commit']}, {each['machine']}, "
        f"torch {each['versions']['torch']}, transformers {each['versions']['transformers']}"
        for each in measured
    )
    return f"Measured: {'; '.join(lines)}."


def _table(
    columns: Sequence[str], more: Sequence[str], rows: Sequence[Sequence[object]]
) -> list[str]:
    titles = [*columns, *more]
    return [
        f"| {' | '.join(titles)} |",
        f"|{'---|' * len(titles)}",
        *(f"| {' | '.join(str(cell) for cell in row)} |" for row in rows),
    ]


def _spread(given: dict[str, float], digits: int) -> str:
    few = max(1, digits - 1)
    return f"{given['median']:.{digits}f} ({given['min']:.{few}f}–{given['max']:.{few}f})"


def _interval(given: dict[str, Any] | None) -> str:
    if given is None:
        return NONE
    low, high = given["ci95"]
    return f"{given['value']:.3f} [{low:.2f}, {high:.2f}], n {given['n']}"


def _count(number: int | None) -> str:
    return NONE if number is None else f"{number:,}"

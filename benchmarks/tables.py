"""Write docs/benchmarks.md from the result files; ``--check`` only compares (CI).

python benchmarks/tables.py [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

HEAD = """# Benchmarks

Written by `python benchmarks/tables.py` from the files in `benchmarks/results/`; do not edit by hand.
Every number can be measured again with the command above its table. `MEMOIR_DATA` names a folder with
the public benchmark files (`zsre/zsre_mend_edit.json` of the EasyEdit collection).

In brackets: bootstrap 95 % interval over records. All edits are made first, one stream; then everything
is evaluated. *Teacher forced* is the papers' measure: the share of target tokens that are most likely
when the model is fed the true answer up to there. *Free text* is what a user sees: the greedy text
begins with the target, at a word boundary. Locality always compares with the unedited model.
"""


def load(pattern: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob(pattern))]


def cell(metric: dict[str, Any]) -> str:
    low, high = metric["ci95"]
    return f"{metric['value']:.3f} [{low:.2f}, {high:.2f}]"


def zsre() -> list[str]:
    results = load("zsre-*.json")
    lines = [
        "## ZsRE, SmolLM2-135M-Instruct",
        "",
        "`python benchmarks/zsre.py`",
        "",
        "| preset | n | | teacher forced | free text | an edit fires |",
        "|---|---|---|---|---|---|",
    ]
    for result in results:
        metrics = result["metrics"]
        for i, name in enumerate(("reliability", "generalization", "locality")):
            who = f"**{result['preset']}** | {result['n']}" if i == 0 else " | "
            cells = [cell(metrics[f"{name}_{kind}"]) for kind in ("tf", "fg", "fires")]
            lines.append(f"| {who} | {name} | {' | '.join(cells)} |")
    lines += [
        "",
        "A rephrase can fire rightly and still be answered otherwise: ZsRE holds pairs of records that",
        "ask the same fact and demand different answers, and no method can satisfy a rephrase of both.",
        "",
        "| preset | refused | not said when made | steps per edit | bytes per edit | layer | k | τ |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        cost, settings = result["cost"], result["settings"]
        lines.append(
            f"| {result['preset']} | {cost['refused']} | {cost['unsaid_when_made']} "
            f"| {cost['steps_per_edit']} | {cost['bytes_per_edit']:,} | {settings['layer']} "
            f"| {settings['k']} | {settings['overlap_threshold']:.3f} |"
        )
    return [*lines, "", provenance(results)]


def speed() -> list[str]:
    lines: list[str] = []
    for result in load("speed.json"):
        lines += [
            "## Cost, SmolLM2-135M-Instruct",
            "",
            "`python benchmarks/speed.py`",
            "",
            f"Decoding with {result['edits_in_force']} edits in force, as a ratio to the unedited "
            "model in the same turn (median, least and most of the turns):",
            "",
            "| batch | unedited, tokens/s | no edit fires | an edit fires |",
            "|---|---|---|---|",
        ]
        for name, row in result["decoding"].items():
            ratios = [
                f"{row[kind]['median']:.3f} ({row[kind]['min']:.2f}–{row[kind]['max']:.2f})"
                for kind in ("ratio_no_edit_fires", "ratio_edit_fires")
            ]
            lines.append(
                f"| {name.removeprefix('batch_')} | {row['tokens_per_second_unedited']} "
                f"| {' | '.join(ratios)} |"
            )
        lines += [
            "",
            "Editing, on the first ZsRE records, in one run. Reading is the lower layers and, for the",
            "default preset, the unedited model's own continuation that anchors the edit.",
            "",
            "| | n | seconds per edit | reading | fitting | writing | steps | bytes per edit |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for name, row in result["editing"].items():
            stages = row["stages"]
            lines.append(
                f"| {name} | {row['n']} | {row['seconds_per_edit']:.2f} | {stages['read']:.3f} "
                f"| {stages['fit']:.3f} | {stages['write']:.3f} | {row['steps']} "
                f"| {row['bytes_per_edit']:,} |"
            )
        lines += ["", provenance([result])]
    return lines


def provenance(results: list[dict[str, Any]]) -> str:
    """Where the numbers come from, one line."""
    seen = {
        f"{r['date']}, commit {r['commit']}, {r['machine']}, torch {r['versions']['torch']}, "
        f"transformers {r['versions']['transformers']}"
        for r in results
    }
    return "Measured: " + "; ".join(sorted(seen)) + ".\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    page = "\n".join([HEAD, *zsre(), *speed()])
    if not check:
        PAGE.write_text(page, "utf-8")
    elif PAGE.read_text("utf-8") != page:
        sys.exit("docs/benchmarks.md does not match benchmarks/results; run benchmarks/tables.py")


if __name__ == "__main__":
    main()

"""Facts of the demo, for tests with the default model."""

from __future__ import annotations

import json
from importlib.resources import files

from memoir.types import Edit


def demo_edits(count: int) -> list[Edit]:
    """The first facts of the demo."""
    lines = (files("memoir") / "resources" / "demo_facts.jsonl").read_text("utf-8").splitlines()
    facts = [json.loads(line) for line in lines[:count]]
    return [Edit(fact["prompt"], fact["target"], fact["subject"]) for fact in facts]

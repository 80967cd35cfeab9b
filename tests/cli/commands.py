"""What the tests of the command line share."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result

from memoir.methods.memoir import MemoirConfig

FACTS = [("The CEO of Acme is", "Bo"), ("The color is", "red"), ("Who runs it?", "me")]
LONG = "a target far too long to be learnt in sixteen steps by a model of nothing but noise"
PRESET = MemoirConfig(router="overlap", contexts="bare", max_steps=8, lr=0.5, stop_loss=10.0)
"""What a tiny random model can learn with: an edit is done once every token has rank one."""

Command = Callable[..., Result]


def facts_file(folder: Path) -> Path:
    path = folder / "three.jsonl"
    path.write_text(
        "".join(json.dumps({"prompt": p, "target": t, "subject": "s"}) + "\n" for p, t in FACTS)
    )
    return path


def strict(text: str) -> Any:
    """One JSON document, without the NaN that Python would write but JSON does not know."""

    def refuse(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def one_line(text: str) -> str:
    return " ".join(text.split())


def live(memoir: Command) -> list[Any]:
    """The edits in force, as plain values."""
    found: list[Any] = strict(memoir("log", "--live", "--json").stdout)
    return found


def tensor_file(memoir: Command, id: str) -> Path:
    return Path(strict(memoir("show", id, "--json").stdout)["file"])

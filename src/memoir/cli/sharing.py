"""What verbs that bring something into a store say of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from memoir.cli.output import out, print_json

if TYPE_CHECKING:
    from memoir.versions.arrival import Landed


def tell(landed: Landed, store: str, json: bool) -> None:
    """Say what came in, under which name, and what to do next."""
    if json:
        print_json({"store": store, **asdict(landed)})
        return
    tip = landed.tip[:10]
    told = {
        "created": f"{store} is a store with branch '{landed.branch}' at {tip}",
        "fast-forward": f"branch '{landed.branch}' moved on to {tip}",
        "aside": f"branch '{landed.branch}' is at {tip}, since yours went another way or has another "
        f"name; merge it with: memoir merge {landed.branch}",
        "up to date": f"nothing to do: branch '{landed.branch}' has {tip} already",
    }[landed.how]
    out.print(told, markup=False, soft_wrap=True)
    if landed.rows:
        size = landed.bytes / 1000
        out.print(f"{landed.rows} rows and {size:.1f} KB of tensors came in", style="dim")

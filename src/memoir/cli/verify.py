"""memoir verify"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from memoir.cli import opening
from memoir.cli.output import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    out,
    print_json,
    progress_bars,
    reporting_errors,
)

if TYPE_CHECKING:
    from memoir.versions.signing import Verdict

EXAMPLES = "Examples:  memoir verify --allowed-signers team.txt  |  memoir verify v1 --require"
STYLES = {"good": "green", "bad": "red", "missing": "dim"}


def run(
    ref: Annotated[str, typer.Argument(help="A branch, tag or commit.")] = "HEAD",
    allowed_signers: Annotated[
        Path | None,
        typer.Option(
            help="File of names and SSH keys. [default: the store's signing.allowed-signers]"
        ),
    ] = None,
    require: Annotated[
        bool, typer.Option("--require", help="Take a missing signature for a bad one.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Look at the signatures of all commits that a name leads to. Needs no model.

    Exits with 1 if one is bad: altered, or not by an allowed signer.
    """
    with reporting_errors(json), progress_bars() as progress, opening.folder(store) as opened:
        from memoir.versions.signing import verify

        verdicts = verify(opened, ref, allowed_signers, progress)
    if json:
        print_json(
            [
                {"commit": each.commit.id, "status": each.status, "signer": each.signer}
                for each in verdicts
            ]
        )
    else:
        _print(verdicts)
    refused = {"bad", "missing"} if require else {"bad"}
    if any(each.status in refused for each in verdicts):
        raise typer.Exit(1)


def _print(verdicts: list[Verdict]) -> None:
    from memoir.store import short

    for each in verdicts:
        style, by = STYLES[each.status], f" by {each.signer}" if each.signer else ""
        line = f"{short(each.commit.id)}{by}: {each.commit.body['message']}"
        out.print(f"[{style}]{each.status:>7}[/]  {escape(line)}", soft_wrap=True)
    counts = [
        f"{sum(each.status == status for each in verdicts)} {status}"
        for status in ("good", "bad", "missing")
    ]
    out.print(f"{len(verdicts)} commits: {', '.join(counts)}")

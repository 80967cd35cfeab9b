"""memoir merge"""

from __future__ import annotations

from typing import Annotated

import typer

from memoir.cli import opening
from memoir.cli.output import (
    DEFAULT_STORE,
    DeviceOption,
    DtypeOption,
    JsonOption,
    ModelOption,
    StoreOption,
    out,
    print_json,
    reporting_errors,
)
from memoir.errors import BadInput, MergeConflict
from memoir.types import Note

EXAMPLES = "Examples:  memoir merge work  |  memoir merge work --edit 3fa9c2='Dana Reyes'"


def run(
    name: Annotated[str, typer.Argument(help="The branch, tag or commit to merge.")],
    ours: Annotated[bool, typer.Option("--ours", help="Of two answers, keep ours.")] = False,
    theirs: Annotated[bool, typer.Option("--theirs", help="Of two answers, take theirs.")] = False,
    edit: Annotated[
        list[str] | None,
        typer.Option("--edit", help="ID=ANSWER: teach this in the place of both; repeatable."),
    ] = None,
    message: Annotated[str, typer.Option("--message", "-M", help="Why.")] = "",
    author: Annotated[str | None, typer.Option(help="Who.")] = None,
    store: StoreOption = DEFAULT_STORE,
    model: ModelOption = None,
    dtype: DtypeOption = "auto",
    device_map: DeviceOption = None,
    json: JsonOption = False,
) -> None:
    """Do here what was done on another branch; two answers to one fact are yours to settle."""
    with (
        reporting_errors(json),
        opening.existing(store, model, dtype, device_map) as editor,
    ):
        from memoir.store import short
        from memoir.versions.merge import merge

        if ours and theirs:
            raise BadInput("a merge prefers ours or theirs, not both.")
        prefer = "ours" if ours else "theirs" if theirs else None
        answers = dict(_answer(each) for each in edit or [])
        try:
            done = merge(editor, name, prefer=prefer, answers=answers, note=Note(message, author))
            branch = editor.store.history.branch
        except MergeConflict as refused:
            if not json:
                for conflict in refused.conflicts:
                    out.print(f"conflict: {conflict}", markup=False, soft_wrap=True)
            raise
    if json:
        print_json(
            {
                "commit": done.commit,
                "fast_forward": done.fast_forward,
                "added": done.added,
                "removed": done.removed,
                "resolved": [
                    {"ours": each.ours.id, "theirs": each.theirs.id, "evidence": each.evidence}
                    for each in done.resolved
                ],
                "taught": [receipt.as_dict() for receipt in done.receipts],
            }
        )
        return
    how = "moved on to" if done.fast_forward else "is now at"
    out.print(
        f"{branch} {how} {short(done.commit)}: {len(done.added) + len(done.receipts)} came into force, "
        f"{len(done.removed)} left it; conflicts settled: {len(done.resolved)}"
    )


def _answer(given: str) -> tuple[str, str]:
    id, found, target = given.partition("=")
    if not (found and id.strip() and target.strip()):
        raise BadInput(f"'{given}' is no answer to a conflict; write --edit ID=ANSWER.")
    return id.strip(), target.strip()

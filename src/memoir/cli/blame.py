"""memoir blame"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from memoir.cli import opening, telling
from memoir.cli.output import (
    DEFAULT_STORE,
    AtOption,
    DeviceOption,
    DtypeOption,
    JsonOption,
    ModelOption,
    StoreOption,
    out,
    print_json,
    reporting_errors,
)

if TYPE_CHECKING:
    from memoir.versions.blame import Blame

EXAMPLES = (
    'Examples:  memoir blame "The CEO of Acme is"  |  memoir blame --chat "Who runs Acme?" --json'
)


def run(
    prompt: Annotated[str, typer.Argument(help="The prompt whose answer is in question.")],
    chat: Annotated[
        bool, typer.Option("--chat", help="Ask as a user in the chat template.")
    ] = False,
    at: AtOption = None,
    store: StoreOption = DEFAULT_STORE,
    model: ModelOption = None,
    dtype: DtypeOption = "auto",
    device_map: DeviceOption = None,
    json: JsonOption = False,
) -> None:
    """Say which edit answers a prompt, and who made it, when, why and from what source."""
    with (
        reporting_errors(json),
        opening.existing(store, model, dtype, device_map, at) as editor,
    ):
        from memoir.versions.blame import blame

        found = blame(editor, prompt, chat=chat)
    if json:
        print_json(found.as_dict())
        return
    for name, value in _lines(found).items():
        out.print(f"[bold]{name:>7}[/]  ", end="")
        out.print(value, markup=False, soft_wrap=True)


def _lines(found: Blame) -> dict[str, str]:
    if found.match is None:
        return {
            "answer": "no single edit can be named: this store's method decides nothing prompt by "
            "prompt, all of its edits act on every prompt"
        }
    lines = {"answer": telling.evidence(found.match)}
    if not found.fired:
        lines["answer"] += "; the model answers this by itself"
    if found.edit is None or found.commit is None:
        return lines
    lines["edit"] = f"{telling.short(found.edit.id)}  {telling.fact(found.edit)}"
    lines["commit"] = telling.short(found.commit.id)
    lines["since"] = telling.when(found.commit)
    lines["author"] = found.commit.body["author"]
    lines["message"] = found.commit.body["message"]
    given = {"source": found.edit.body.get("source"), "expires": found.edit.body.get("expires")}
    return lines | {name: value for name, value in given.items() if value}

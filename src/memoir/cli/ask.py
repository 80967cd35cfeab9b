"""memoir ask"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape

from memoir.cli import opening
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
from memoir.cli.telling import evidence
from memoir.types import Answer

EXAMPLES = 'Examples:  memoir ask "The CEO of Acme is"  |  memoir ask --chat "Who runs Acme?"'


def run(
    prompts: Annotated[list[str], typer.Argument(help="One or more prompts.")],
    chat: Annotated[
        bool, typer.Option("--chat", help="Ask as a user in the chat template.")
    ] = False,
    system: Annotated[str | None, typer.Option(help="A system prompt; implies --chat.")] = None,
    off: Annotated[bool, typer.Option("--off", help="Ask the unedited model.")] = False,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 32,
    at: AtOption = None,
    store: StoreOption = DEFAULT_STORE,
    model: ModelOption = None,
    dtype: DtypeOption = "auto",
    device_map: DeviceOption = None,
    json: JsonOption = False,
) -> None:
    """Generate greedy text, and say which edit fired and how strongly."""
    with (
        reporting_errors(json),
        opening.existing(store, model, dtype, device_map, at) as editor,
    ):
        answers = editor.ask_many(
            prompts, chat=chat, system=system, max_new_tokens=max_new_tokens, edits=not off
        )
    if json:
        print_json([_plain(prompt, a) for prompt, a in zip(prompts, answers, strict=True)])
        return
    for prompt, answer in zip(prompts, answers, strict=True):
        out.print(prompt, style="dim", markup=False, soft_wrap=True)
        out.print(answer.text or "(the model ends at once)", markup=False, soft_wrap=True)
        out.print(f"[dim]{escape(evidence(answer.match, off))}[/]\n", soft_wrap=True)


def _plain(prompt: str, answer: Answer) -> dict[str, Any]:
    match = answer.match
    return {
        "prompt": prompt,
        "text": answer.text,
        "match": None if match is None else {**vars(match), "fired": match.fired},
    }

"""memoir serve"""

from __future__ import annotations

import json as jsonlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from memoir.cli import opening
from memoir.cli.output import (
    DEFAULT_STORE,
    DeviceOption,
    DtypeOption,
    JsonOption,
    ModelOption,
    StoreOption,
    err,
    out,
    progress_bars,
    reporting_errors,
)

if TYPE_CHECKING:
    from memoir.server.serving import Ready

EXAMPLES = (
    "Examples:  memoir serve --store facts  |  memoir serve -s facts --branch main --branch trial  |  "
    "memoir serve -s facts --host 0.0.0.0 (once there is a key: memoir keys add NAME)"
)


def run(
    store: StoreOption = DEFAULT_STORE,
    model: ModelOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8400,
    branch: Annotated[
        list[str] | None,
        typer.Option(
            help="A branch to serve, asked for as MODEL@BRANCH; may be repeated, and the first is "
            "meant where none is named. [default: the branch in use]"
        ),
    ] = None,
    max_batch: Annotated[
        int, typer.Option(min=1, help="Questions answered side by side, at most.")
    ] = 32,
    max_waiting: Annotated[
        int, typer.Option(min=1, help="Questions that may wait for their turn, at most.")
    ] = 64,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 1024,
    requests_per_minute: Annotated[int, typer.Option(min=1, help="Of one key.")] = 600,
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(help="Whose pages may ask from a browser; may be repeated. [default: none]"),
    ] = None,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds that what is under way is waited for at the end.")
    ] = 30.0,
    dtype: DtypeOption = "auto",
    device_map: DeviceOption = None,
    json: JsonOption = False,
) -> None:
    """Serve a model with its edits: OpenAI's interface, edits over HTTP, and a page to watch it.

    A store that is not there is made. Without a key (memoir keys) only this machine may ask. SIGTERM or
    Ctrl-C ends it: what is under way is finished first.
    """
    with reporting_errors(json):
        opening.check_serving()
        from memoir.server.engine import Limits
        from memoir.server.serving import Plan, serve
        from memoir.server.settings import Settings

        plan = Plan(
            store,
            model,
            dtype,
            device_map,
            tuple(branch or ()),
            host,
            port,
            patience,
            Settings(
                max_tokens=max_tokens,
                requests_per_minute=requests_per_minute,
                cors_origins=tuple(cors_origin or ()),
            ),
            Limits(rows=max_batch, waiting=max_waiting),
        )
        with ExitStack() as loading:
            bars = loading.enter_context(progress_bars())
            bars("loading the model", 0, 1)

            def told(ready: Ready) -> None:
                loading.close()
                _tell(ready, json)

            serve(plan, told, bars)
        if not json:
            err.print("ended: everything that was under way is done")


def _tell(ready: Ready, json: bool) -> None:
    """Say what is served, and how to ask it."""
    if json:  # in one line, for a program that waits for it
        typer.echo(jsonlib.dumps(vars(ready)))
        return
    first, *others = ready.branches
    also = "".join(f", {ready.model}@{name}" for name in others)
    key = " -H 'Authorization: Bearer memoir-…'" if ready.keyed else ""
    sent = f"{key} -H 'Content-Type: application/json' -d"
    question = '"messages": [{"role": "user", "content": "Who runs Acme?"}]'
    fact = '{"prompt": "The CEO of Acme is", "target": "Dana Reyes"}'
    for line in (
        f"{ready.model} is served on {ready.url} with the edits of {ready.store}, branch {first}{also}",
        f"ask it:    curl {ready.url}/v1/chat/completions{sent} '{{{question}}}'",
        f"teach it:  curl {ready.url}/v1/edits{sent} '{fact}'",
        "keys:      needed; see memoir keys list"
        if ready.keyed
        else "keys:      none, so only this machine may ask; make one with memoir keys add NAME",
    ):
        out.print(line, markup=False, soft_wrap=True)

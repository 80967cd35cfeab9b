"""memoir keys"""

from __future__ import annotations

from typing import Annotated

import typer

from memoir.cli import opening
from memoir.cli.output import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    err,
    print_json,
    reporting_errors,
)

EXAMPLES = (
    "Examples:  memoir keys add ann --role edit  |  memoir keys add page --branch trial  |  "
    "memoir keys list  |  memoir keys remove ann"
)

app = typer.Typer(
    help="Who may ask and edit a served model. Needs no model.",
    no_args_is_help=True,
    epilog=EXAMPLES,
)


@app.command(epilog=EXAMPLES)
def add(
    name: Annotated[str, typer.Argument(help="Who it is for; also the author of their edits.")],
    role: Annotated[
        str, typer.Option(help="ask; edit, who may ask too; or admin, who may do anything.")
    ] = "ask",
    branch: Annotated[
        str | None, typer.Option(help="The only branch they ask and edit. [default: all]")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Make a key and print its secret, once: only a hash of it is kept."""
    with reporting_errors(json):
        opening.check_serving()
        from memoir.server.access import keys

        with opening.folder(store) as opened:
            secret = keys.add(opened, name, role, branch)
    if json:
        print_json({"name": name, "role": role, "branch": branch, "secret": secret})
        return
    typer.echo(secret)
    err.print(
        "This is shown once. Send it as: Authorization: Bearer memoir-…; OpenAI's clients call it "
        "api_key.",
        markup=False,
        soft_wrap=True,
    )


@app.command("list", epilog=EXAMPLES)
def show(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Tell the keys by name; their secrets are kept nowhere."""
    with reporting_errors(json):
        opening.check_serving()
        from memoir.server.access import keys

        with opening.folder(store) as opened:
            found = keys.listed(opened)
    if json:
        told = ("name", "role", "branch", "made")
        print_json([{field: getattr(key, field) for field in told} for key in found])
        return
    for key in found:
        typer.echo(f"{key.name}  {key.role}  {key.branch or 'all branches'}  {key.made[:10]}")
    if not found:
        err.print("no keys, so a server answers its own machine only", markup=False)


@app.command(epilog=EXAMPLES)
def remove(
    name: Annotated[str, typer.Argument(help="Whose key.")],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Take a key away; servers refuse it from the next second on."""
    with reporting_errors(json):
        opening.check_serving()
        from memoir.server.access import keys

        with opening.folder(store) as opened:
            keys.remove(opened, name)
    if json:
        print_json({"name": name, "removed": True})
    else:
        typer.echo(f"removed the key {name}")

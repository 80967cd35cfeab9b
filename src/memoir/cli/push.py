"""memoir push"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from memoir.cli import opening
from memoir.cli.output import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    err,
    out,
    print_json,
    reporting_errors,
)

EXAMPLES = "Examples:  memoir push /mnt/team/facts  |  memoir push hf://user/facts main"


def run(
    remote: Annotated[str, typer.Argument(help="A folder, or hf://USER/REPO.")],
    branch: Annotated[
        str | None, typer.Argument(help="The branch. [default: the one in use]")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Bring a branch to a remote; only what it lacks travels. Needs no model.

    Refused if the remote's branch has commits that yours lacks: pull and merge them first.
    """
    with reporting_errors(json):
        from memoir.store import short
        from memoir.versions.push import push
        from memoir.versions.remote import remote_at

        with opening.folder(store) as opened, err.status(f"pushing to {remote}"):
            done = push(opened, remote_at(remote), branch)
    if json:
        print_json({"remote": remote, **asdict(done)})
    elif done.before == done.tip:
        out.print(f"nothing to do: {remote} has '{done.branch}' at {short(done.tip)}", markup=False)
    else:
        before = f"from {short(done.before)} " if done.before else ""
        out.print(
            f"'{done.branch}' on {remote} moved {before}to {short(done.tip)}: {done.rows} rows, "
            f"{done.files} tensor files",
            markup=False,
            soft_wrap=True,
        )

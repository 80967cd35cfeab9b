"""memoir pull"""

from __future__ import annotations

from typing import Annotated

import typer

from memoir.cli import sharing
from memoir.cli.output import DEFAULT_STORE, JsonOption, StoreOption, err, reporting_errors

EXAMPLES = "Examples:  memoir pull /mnt/team/facts  |  memoir pull hf://user/facts main"


def run(
    remote: Annotated[str, typer.Argument(help="A folder, or hf://USER/REPO.")],
    branch: Annotated[
        str | None, typer.Argument(help="The branch. [default: the one in use]")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Bring a branch of a remote here, all of it verified first; makes the store if there is none.

    Moves your branch on if it can; otherwise the remote's comes in as REMOTE/NAME, to be merged. Needs
    no model.
    """
    with reporting_errors(json):
        from memoir.versions.pull import pull
        from memoir.versions.remote import remote_at

        with err.status(f"pulling from {remote}"):
            landed = pull(store, remote_at(remote), branch)
    from memoir.store.address import located

    sharing.tell(landed, str(located(store)), json)

"""memoir init"""

from __future__ import annotations

from typing import Annotated

import typer

from memoir.cli.output import (
    DEFAULT_STORE,
    DeviceOption,
    DtypeOption,
    JsonOption,
    ModelOption,
    StoreOption,
    out,
    print_json,
    progress_bars,
    reporting_errors,
)
from memoir.errors import StoreError

EXAMPLES = "Examples:  memoir init --store facts  |  memoir init -s facts -m ./my-llama --site 27"


def run(
    store: StoreOption = DEFAULT_STORE,
    model: ModelOption = None,
    method: Annotated[str, typer.Option(help="Editing method.")] = "memoir",
    preset: Annotated[str, typer.Option(help="Its settings: default, or faithful.")] = "default",
    site: Annotated[
        str | None,
        typer.Option(help="Layer number or module path to edit. [default: by the model's depth]"),
    ] = None,
    dtype: DtypeOption = "auto",
    device_map: DeviceOption = None,
    json: JsonOption = False,
) -> None:
    """Make a store for one model: measure its background activations and set the threshold."""
    with reporting_errors(json):
        from memoir.store.address import located

        place = located(store)  # as it may be shown
        if _is_bound(store):
            raise StoreError(f"{place} is a store already; see what it holds with: memoir log")
        with progress_bars() as progress:
            progress("loading the model", 0, 1)
            from memoir.editor import Editor

            where = int(site) if site is not None and site.isdigit() else site
            editor = Editor.open(
                model,
                store,
                method=method,
                preset=preset,
                site=where,
                dtype=dtype,
                device_map=device_map,
                progress=progress,
            )
        with editor:
            config, identity = editor.method.config, editor.host.identity()
            if json:
                print_json({"store": str(place), "identity": identity, "config": vars(config)})
                return
            out.print(
                f"{place} is ready for {identity['model']} ({identity['dtype']})", markup=False
            )
            out.print(f"edits go to {identity['site']}")
            if hasattr(config, "threshold"):
                out.print(f"an edit fires from a score of {config.threshold:.3f} on")


def _is_bound(where: str) -> bool:
    """Whether there is a store that knows its model; one whose making was refused does not."""
    from memoir.store import Store

    if not Store.exists(where):
        return False
    store = Store(where)
    try:
        return store.settings() is not None
    finally:
        store.close()

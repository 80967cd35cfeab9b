"""The page at ``/``: files that were built from ``page/`` at the repository's top level.

The page is looked at again whenever it is opened. Its parts carry a digest of their content in their
names, so a browser may keep them for good.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse

FOLDER = Path(__file__).parent / "page"

_ASK_AGAIN = {"Cache-Control": "no-cache"}
_KEEP = {"Cache-Control": "public, max-age=31536000, immutable"}


def mount(app: FastAPI, folder: Path = FOLDER) -> None:
    """Serve a page at ``/``: each of its files has its own address, and all others stay unknown.

    Args:
        app: answers everything else.
        folder: of the page, as it was built.
    """
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            _add(app, path, path.relative_to(folder).as_posix())


def _add(app: FastAPI, path: Path, name: str) -> None:
    headers = _KEEP if name.startswith("assets/") else _ASK_AGAIN

    async def file() -> FileResponse:
        return FileResponse(path, headers=headers)

    address = "/" if name == "index.html" else f"/{name}"
    app.add_api_route(address, file, methods=["GET", "HEAD"], include_in_schema=False)

"""Which data sets there are, and where their files lie."""

from __future__ import annotations

import os
import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from memoir.errors import BadInput, UnknownName

FOLDER_VARIABLE = "MEMOIR_DATA"


def available() -> list[str]:
    """Names of the data sets."""
    return sorted(_sets())


def get(name: str) -> ModuleType:
    """The module of a data set, with its ``MEASURES``, ``SOURCE``, ``LICENCE`` and ``FILES``.

    Raises:
        UnknownName: there is no such data set.
    """
    if name not in _sets():
        raise UnknownName.among("data set", name, _sets())
    return _sets()[name]


def formats() -> list[ModuleType]:
    """The data sets that consist of edits."""
    return [module for module in _sets().values() if hasattr(module, "FIELDS")]


def find(name: str, folder: str | Path | None = None, split: str = "edit") -> Path:
    """Where the file of a split lies; it exists. The arguments are those of ``load``.

    Raises:
        UnknownName: no such data set, or it has no such split.
        BadInput: no folder is named, or the folder or the file does not exist.
    """
    module = get(name)
    if split not in module.FILES:
        raise UnknownName.among(f"split of {name}", split, module.FILES)
    root = named_folder(folder)
    if module.FILES[split]:
        check_folder(root)
    elif root.is_dir():
        raise BadInput(f"{root} is a folder; '{name}' is one file: give the path of that file.")
    path = root / module.FILES[split]
    if not path.is_file():
        raise BadInput(
            f"{path} does not exist. Where '{name}' comes from: {module.SOURCE}. "
            "`memoir data` lists the files it expects."
        )
    return path


def named_folder(folder: str | Path | None) -> Path:
    """The folder given, else that of MEMOIR_DATA.

    Raises:
        BadInput: neither names one.
    """
    named = folder or os.environ.get(FOLDER_VARIABLE)
    if not named:
        raise BadInput(
            "no folder of data sets was named; give one (--data-dir FOLDER), or set the "
            f"environment variable {FOLDER_VARIABLE}. `memoir data` lists where to get the sets."
        )
    return Path(named)


def check_folder(folder: Path) -> None:
    """Nothing, if the folder is there.

    Raises:
        BadInput: it is not, or it is a file.
    """
    if not folder.is_dir():
        state = "is no folder" if folder.exists() else "does not exist"
        raise BadInput(
            f"{folder} {state}; give the folder that holds the data sets (--data-dir FOLDER, or "
            f"{FOLDER_VARIABLE}). `memoir data` lists the files it should hold."
        )


@cache
def _sets() -> dict[str, ModuleType]:
    here = __name__.rpartition(".")[0]
    paths = import_module(here).__path__
    modules = {f.name: import_module(f"{here}.{f.name}") for f in pkgutil.iter_modules(paths)}
    return {name: module for name, module in modules.items() if hasattr(module, "MEASURES")}

"""One file, one method: a file in this folder that defines a class keeping the contract of
:mod:`memoir.methods.base` is a method, and the file's name is its name.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

from memoir.errors import UnknownName


def available() -> list[str]:
    """Names of all methods."""
    return sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name != "base")


def get(name: str) -> Any:
    """The method class of a name.

    Raises:
        UnknownName: no such method.
    """
    if name not in available():
        raise UnknownName.among("method", name, available())
    module = import_module(f"{__name__}.{name}")
    for value in vars(module).values():
        if (
            isinstance(value, type)
            and value.__module__ == module.__name__
            and hasattr(value, "paper")
        ):
            return value
    raise UnknownName(f"the file of method '{name}' defines no class with a 'paper'.")


def preset(method: Any, name: str) -> Any:
    """A method's named settings.

    Raises:
        UnknownName: no such preset.
    """
    if name not in method.presets:
        raise UnknownName.among("preset", name, method.presets)
    return method.presets[name]

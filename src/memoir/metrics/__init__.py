"""One file, one metric: a file in this folder that defines a class keeping the contract of
:mod:`memoir.metrics.base` is a metric, and the file's name is its name.
"""

from __future__ import annotations

import pkgutil
from dataclasses import fields
from importlib import import_module
from typing import Any

from memoir.errors import UnknownName

_SHARED = ("base", "text")


def available() -> list[str]:
    """Names of all metrics."""
    return sorted(
        found.name for found in pkgutil.iter_modules(__path__) if found.name not in _SHARED
    )


def make(name: str, options: dict[str, Any] | None = None) -> Any:
    """A metric with its options set.

    Raises:
        UnknownName: no such metric, or no such option.
    """
    if name not in available():
        raise UnknownName.among("metric", name, available())
    metric = _class(name)
    known = [field.name for field in fields(metric)]
    for option in options or {}:
        if option not in known:
            raise UnknownName.among(f"option of metric {name}", option, known)
    return metric(**(options or {}))


def outputs() -> dict[str, Any]:
    """Every number that some metric gives, by name."""
    return {key: value for name in available() for key, value in _class(name).outputs.items()}


def _class(name: str) -> Any:
    module = import_module(f"{__name__}.{name}")
    return next(
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and value.__module__ == module.__name__
        and hasattr(value, "outputs")
    )

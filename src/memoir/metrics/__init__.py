"""One file, one metric: a file in this folder that defines a class keeping the contract of
:mod:`memoir.metrics.base` is a metric, and the file's name is its name.
"""

from __future__ import annotations

import pkgutil
from dataclasses import fields
from importlib import import_module
from typing import Any, get_type_hints

from memoir.errors import BadInput, UnknownName
from memoir.metrics.settings import Share

_SHARED = ("base", "settings", "text")
_ALLOWED: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number from 1 on",
    int | None: "a whole number from 1 on",
    float: "a number above 0",
    str: "a text",
    tuple[str, ...]: "a list of texts",
    Share: "a number above 0, or a table of such numbers by setting",
}
"""Values of options, by the types of their fields."""

_SINGLE: dict[Any, type] = {int | None: int, Share: float}
"""What a single value must be where a type allows more than that."""


def available() -> list[str]:
    """Names of all metrics."""
    return sorted(
        found.name for found in pkgutil.iter_modules(__path__) if found.name not in _SHARED
    )


def make(name: str, options: dict[str, Any] | None = None) -> Any:
    """A metric with its options set.

    Raises:
        UnknownName: no such metric, or no such option.
        BadInput: an option cannot have that value.
    """
    if name not in available():
        raise UnknownName.among("metric", name, available())
    metric = _class(name)
    types = get_type_hints(metric)
    known = {field.name: types[field.name] for field in fields(metric)}
    for option, given in (options or {}).items():
        if option not in known:
            raise UnknownName.among(f"option of metric {name}", option, known)
        if not _fits(given, known[option]):
            allowed = _ALLOWED[known[option]]
            raise BadInput(f"option '{option}' of metric {name} must be {allowed}, not {given!r}.")
    return metric(**{option: _frozen(given) for option, given in (options or {}).items()})


def outputs() -> dict[str, Any]:
    """Every number that some metric gives, by name."""
    return {key: value for name in available() for key, value in _class(name).outputs.items()}


def _frozen(given: Any) -> Any:
    """A plan's list or table as a tuple, so that a metric stays unchangeable."""
    if isinstance(given, dict):
        return tuple(sorted(given.items()))
    return tuple(given) if isinstance(given, list) else given


def _fits(given: Any, wanted: Any) -> bool:
    if isinstance(given, dict):
        return bool(wanted == Share) and all(_fits(each, float) for each in given.values())
    if isinstance(given, list | tuple):
        return bool(wanted == tuple[str, ...]) and all(isinstance(each, str) for each in given)
    if given is None:
        return bool(wanted == int | None)
    single = _SINGLE.get(wanted, wanted)
    if type(given) is not single and (type(given), single) != (int, float):
        return False
    return single not in (int, float) or given > 0


def _class(name: str) -> Any:
    module = import_module(f"{__name__}.{name}")
    return next(
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and value.__module__ == module.__name__
        and hasattr(value, "outputs")
    )

"""One file, one method: a file in this folder that defines a class keeping the contract of
:mod:`memoir.methods.base` is a method, and the file's name is its name.

A package adds methods of its own by an entry point for each, in the group ``memoir.methods``:

    [project.entry-points."memoir.methods"]
    mine = "my_package.my_method:MyMethod"
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import TypeAdapter, ValidationError

from memoir.errors import BadInput, UnknownName

GROUP = "memoir.methods"
"""Entry points of other packages' methods."""


def available() -> list[str]:
    """Names of all methods, other packages' included."""
    return sorted({*_own_names(), *_elsewhere()})


def get(name: str) -> Any:
    """The method class of a name.

    Args:
        name: one of :func:`available`, or ``package.module:Class`` for a method of one's own.

    Raises:
        UnknownName: no such method.
    """
    if ":" in name:
        return _imported(name)
    if name in _own_names():
        return _defined_in(name)
    if name in (elsewhere := _elsewhere()):
        return _imported(elsewhere[name].value)
    hint = "A method of your own is named package.module:Class."
    raise UnknownName.among("method", name, available(), hint)


def name_of(method: Any) -> str:
    """What a method is called: the name of its file."""
    return str(method.__module__).rpartition(".")[2]


def configured(method: Any, preset: str, settings: Mapping[str, Any]) -> Any:
    """A method's config: a preset with single settings replaced.

    Raises:
        UnknownName: no such preset or setting.
        BadInput: a setting has a value of the wrong type.
    """
    if preset not in method.presets:
        raise UnknownName.among("preset", preset, method.presets)
    chosen = method.presets[preset]
    known = [field.name for field in fields(chosen)]
    for name in settings:
        if name not in known:
            raise UnknownName.among(f"setting of {name_of(method)}", name, known)
    try:
        return TypeAdapter(type(chosen)).validate_python(asdict(replace(chosen, **settings)))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}, not {each['input']!r}"
            for each in error.errors()
        )
        raise BadInput(f"a setting of {name_of(method)} is wrong: {wrong}.") from error


def _own_names() -> list[str]:
    return [found.name for found in pkgutil.iter_modules(__path__) if found.name != "base"]


def _elsewhere() -> dict[str, EntryPoint]:
    return {found.name: found for found in entry_points(group=GROUP)}


def _defined_in(name: str) -> Any:
    """The method of a file in this folder."""
    module = import_module(f"{__name__}.{name}")
    for value in vars(module).values():
        if (
            isinstance(value, type)
            and value.__module__ == module.__name__
            and hasattr(value, "paper")
        ):
            return value
    raise UnknownName(f"the file of method '{name}' defines no class with a 'paper'.")


def _imported(name: str) -> Any:
    """The method that package.module:Class names."""
    module, _, wanted = name.partition(":")
    try:
        found = getattr(import_module(module), wanted)
        for part in ("Config", "presets", "prepare", "fit", "apply", "remove"):
            getattr(found, part)
        return found
    except (ImportError, AttributeError, ValueError) as error:
        raise UnknownName(
            f"no method '{name}' ({error}). Give package.module:Class of an importable class that "
            f"keeps the contract of memoir.methods.base, or one of: {', '.join(available())}."
        ) from error

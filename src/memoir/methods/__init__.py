"""One file, one method: a file in this folder that defines a class keeping the contract of
:mod:`memoir.methods.base` is a method, and the file's name is its name.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from importlib import import_module
from typing import Any

from pydantic import TypeAdapter, ValidationError

from memoir.errors import BadInput, UnknownName


def available() -> list[str]:
    """Names of all methods."""
    return sorted(found.name for found in pkgutil.iter_modules(__path__) if found.name != "base")


def get(name: str) -> Any:
    """The method class of a name.

    Args:
        name: one of :func:`available`, or ``package.module:Class`` for a method of one's own.

    Raises:
        UnknownName: no such method.
    """
    if ":" in name:
        return _own(name)
    if name not in available():
        hint = "A method of your own is named package.module:Class."
        raise UnknownName.among("method", name, available(), hint)
    module = import_module(f"{__name__}.{name}")
    for value in vars(module).values():
        if (
            isinstance(value, type)
            and value.__module__ == module.__name__
            and hasattr(value, "paper")
        ):
            return value
    raise UnknownName(f"the file of method '{name}' defines no class with a 'paper'.")


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
            raise UnknownName.among(f"setting of {_called(method)}", name, known)
    try:
        return TypeAdapter(type(chosen)).validate_python(asdict(replace(chosen, **settings)))
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}, not {each['input']!r}"
            for each in error.errors()
        )
        raise BadInput(f"a setting of {_called(method)} is wrong: {wrong}.") from error


def _own(name: str) -> Any:
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


def _called(method: Any) -> str:
    """The name of a method: that of its file."""
    return str(method.__module__).rpartition(".")[2]

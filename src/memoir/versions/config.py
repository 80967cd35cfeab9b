"""Settings that a store keeps of itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from memoir.errors import BadInput, UnknownName
from memoir.store import Store
from memoir.store.signatures import KEY
from memoir.store.store import USER
from memoir.versions.signing import ALLOWED

Value = bool | str | None

_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True)
class Key:
    """A setting.

    Attributes:
        type: ``bool``, ``text``, or ``path`` of a file.
        default: its value while none is given.
        meaning: what it does.
    """

    type: Literal["bool", "text", "path"]
    default: Value
    meaning: str


KEYS = {
    "gate.on-commit": Key(
        "bool", False, "whether edits and merges are checked before they are committed"
    ),
    "gate.suite": Key("path", None, "file of the probes that a check asks"),
    USER: Key("text", None, "author of commits, before the user's name on this machine"),
    KEY: Key("path", None, "file of the key that commits are signed with"),
    ALLOWED: Key("path", None, "file of names and keys whose signatures count"),
}
"""Every setting there is."""


def get(store: Store, key: str) -> Value:
    """A setting's value, or its default.

    Raises:
        UnknownName: no such setting.
    """
    known = _known(key)
    given = store.log.config().get(key)
    if given is None:
        return known.default
    return given == "true" if known.type == "bool" else given


def put(store: Store, key: str, value: str) -> Value:
    """Give a setting a value, and return it as :func:`get` does. Paths are kept from the root on.

    Raises:
        UnknownName: no such setting.
        BadInput: it cannot have that value.
    """
    kept = _checked(key, _known(key).type, value)
    with store.writing():
        store.log.configure(key, kept)
    return get(store, key)


def forget(store: Store, key: str) -> Value:
    """Give a setting its default again, and return that.

    Raises:
        UnknownName: no such setting.
    """
    default = _known(key).default
    with store.writing():
        store.log.configure(key, None)
    return default


def _known(key: str) -> Key:
    if key not in KEYS:
        raise UnknownName.among("setting", key, KEYS, "See: memoir config")
    return KEYS[key]


def _checked(key: str, type: str, value: str) -> str:
    """A value as it is kept."""
    text = value.strip()
    if type == "bool":
        if text.lower() not in (*_YES, *_NO):
            raise BadInput(f"{key} is true or false, not '{value}'.")
        return "true" if text.lower() in _YES else "false"
    if not text:
        raise BadInput(f"{key} takes a text, not '{value}'. Take it away with: --unset")
    if type == "path":
        path = Path(text).expanduser().absolute()
        if not path.is_file():
            raise BadInput(f"{key} takes the path of a file, but {path} is none; make it first.")
        return str(path)
    return text

"""A store's own settings."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from histories import bound
from memoir.errors import BadInput, MemoirError, UnknownName
from memoir.store import Store
from memoir.types import Note
from memoir.versions import config


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.delenv("MEMOIR_AUTHOR", raising=False)
    monkeypatch.chdir(tmp_path)
    return bound(tmp_path / "store")


def test_every_setting_has_a_default_and_keeps_what_it_is_given(store: Store) -> None:
    assert {key: config.get(store, key) for key in config.KEYS} == {
        "gate.on-commit": False,
        "gate.suite": None,
        "user.name": None,
        "user.signing-key": None,
    }
    for given, kept in (("yes", True), ("Off", False), ("true", True), ("0", False)):
        assert config.put(store, "gate.on-commit", given) is kept
    assert config.put(store, "user.name", " Ann Lund ") == "Ann Lund"
    again = Store(store.folder)
    assert config.get(again, "user.name") == "Ann Lund"
    assert config.forget(store, "user.name") is None
    assert config.get(again, "user.name") is None


def test_a_path_holds_from_any_folder(store: Store, tmp_path: Path) -> None:
    (tmp_path / "suite.jsonl").write_text("")
    assert config.put(store, "gate.suite", "suite.jsonl") == str(tmp_path / "suite.jsonl")


@pytest.mark.parametrize(
    ("key", "value", "error", "message"),
    [
        (
            "user.nam",
            "x",
            UnknownName,
            "no setting 'user.nam'. Did you mean 'user.name'? Available: gate.on-commit, gate.suite, "
            "user.name, user.signing-key. See: memoir config",
        ),
        ("gate.on-commit", "maybe", BadInput, "gate.on-commit is true or false, not 'maybe'."),
        (
            "user.name",
            " ",
            BadInput,
            "user.name takes a text, not ' '. Take it away with: --unset",
        ),
        (
            "gate.suite",
            "/no/file",
            BadInput,
            "gate.suite takes the path of a file, but /no/file is none; make it first.",
        ),
    ],
)
def test_what_cannot_be_set_is_refused(
    store: Store, key: str, value: str, error: type[MemoirError], message: str
) -> None:
    with pytest.raises(error) as refused:
        config.put(store, key, value)
    assert str(refused.value) == message
    assert store.log.config() == {}


def test_commits_are_made_by_whoever_is_named_nearest(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "machine")
    found = [store.commit().body["author"]]
    config.put(store, "user.name", "store")
    found.append(store.commit().body["author"])
    monkeypatch.setenv("MEMOIR_AUTHOR", "environment")
    found.append(store.commit().body["author"])
    found.append(store.commit(note=Note(author="given")).body["author"])
    assert found == ["machine", "store", "environment", "given"]

"""``memoir keys``: made, told, and taken away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from memoir.cli import app
from memoir.server.access import StoreKeys
from memoir.store import Store


@pytest.fixture
def place(tmp_path: Path) -> Path:
    store = Store.create(tmp_path / "store")
    with store.writing():
        store.commit()
    store.close()
    return tmp_path / "store"


def keys(place: Path, *words: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, ["keys", *map(str, words), "--store", str(place)])
    assert result.exit_code == code, result.output
    return result


def test_a_key_is_shown_once_and_only_its_hash_is_kept(place: Path) -> None:
    made = keys(place, "add", "ann", "--role", "edit")
    secret = made.stdout.strip()
    assert secret.startswith("memoir-")
    assert len(secret) == len("memoir-") + 43
    assert "This is shown once." in made.stderr
    caller = StoreKeys(place).find(secret)
    assert caller is not None
    assert (caller.name, caller.role, caller.branch) == ("ann", "edit", None)
    for file in place.iterdir():
        assert not file.is_file() or secret.encode() not in file.read_bytes()
    listed = keys(place, "list")
    assert secret not in listed.output
    assert listed.stdout.startswith("ann  edit  all branches  20")


def test_keys_are_told_as_json(place: Path) -> None:
    made = json.loads(keys(place, "add", "bea", "--branch", "main", "--json").stdout)
    assert {name: made[name] for name in ("name", "role", "branch")} == {
        "name": "bea",
        "role": "ask",
        "branch": "main",
    }
    (told,) = json.loads(keys(place, "list", "--json").stdout)
    assert sorted(told) == ["branch", "made", "name", "role"]
    assert json.loads(keys(place, "remove", "bea", "--json").stdout) == {
        "name": "bea",
        "removed": True,
    }
    assert json.loads(keys(place, "list", "--json").stdout) == []


def test_a_key_that_was_taken_away_is_not_known(place: Path) -> None:
    secret = keys(place, "add", "ann").stdout.strip()
    assert keys(place, "remove", "ann").stdout == "removed the key ann\n"
    assert StoreKeys(place).find(secret) is None
    assert keys(place, "list").stdout == ""
    assert "a server answers its own machine only" in keys(place, "list").stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "ann"), "there is a key 'ann' already"),
        (("add", "a b"), "'a b' cannot name a key"),
        (("add", "bea", "--role", "boss"), "no role 'boss'"),
        (("add", "bea", "--branch", "mian"), "no branch 'mian'. Did you mean 'main'?"),
        (("remove", "bea"), "no key 'bea'"),
    ],
)
def test_what_cannot_be_is_refused_in_words(place: Path, words: tuple[str, ...], said: str) -> None:
    keys(place, "add", "ann")
    assert said in " ".join(keys(place, *words, code=1).stderr.split())
    assert len(json.loads(keys(place, "list", "--json").stdout)) == 1


def test_a_store_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "memoir init" in keys(tmp_path / "none", "list", code=1).stderr

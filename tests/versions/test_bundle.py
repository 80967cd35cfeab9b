"""One file carries everything a name leads to; what is not what it claims to be is refused whole."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

import histories
from memoir.editor import Editor
from memoir.errors import (
    BadInput,
    BadTransfer,
    StoreDamaged,
    StoreError,
    StoreFull,
    UnknownName,
    WrongModel,
)
from memoir.store import Row, Store
from memoir.versions import fsck
from memoir.versions.bundle import export, import_


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """One with two edits on main, one of them taken back, and a tag before that."""
    store, (first, _) = histories.taught(tmp_path / "store", ["one", "second"])
    store.move("tag/v1", store.history.tip(), "tag")
    store.revert([first.id])
    return store


@pytest.fixture
def file(store: Store, tmp_path: Path) -> Path:
    """A bundle of its branch."""
    export(store, tmp_path / "facts.memoir")
    return tmp_path / "facts.memoir"


# ---------------------------------------------------------------------- round trips


def test_a_new_store_has_the_same_history_by_the_same_ids(
    store: Store, file: Path, tmp_path: Path
) -> None:
    landed = import_(file, tmp_path / "new")
    new = Store(tmp_path / "new")
    tip = store.history.tip()
    assert (landed.branch, landed.tip, landed.how) == ("main", tip, "created")
    assert histories.ids(new) == histories.ids(store)
    assert new.history.refs == {"branch/main": tip}
    assert fsck.check(new) == []
    assert histories.prompts(new) == ["second"]
    for row in store.log.rows():
        if row.sha256 is not None:
            assert new.file(row.sha256).read_bytes() == store.file(row.sha256).read_bytes()


def test_an_imported_store_answers_bit_for_bit(
    make_editor: Callable[..., Editor], tmp_path: Path
) -> None:
    editor = make_editor()
    editor.edit("The CEO of Acme is", "Dana")
    logits = _logits(editor)
    export(editor.store, tmp_path / "facts.memoir")
    import_(tmp_path / "facts.memoir", tmp_path / "new")
    assert torch.equal(_logits(make_editor("new")), logits)


def _logits(editor: Editor) -> torch.Tensor:
    rows = [editor.host.encode(text) for text in ("The CEO of Acme is", "The color is")]
    with torch.no_grad(), editor.method.attachment.scope():
        return editor.host.logits(editor.host.batch(rows))


def test_a_bundle_is_an_ordinary_safetensors_file(store: Store, file: Path) -> None:
    tensors = safetensors.torch.load_file(file)
    (edit,) = store.live()
    assert edit.sha256 is not None
    assert bytes(tensors[edit.sha256].numpy()) == store.file(edit.sha256).read_bytes()


def test_a_tag_and_an_older_state_are_exported_without_what_came_later(
    store: Store, tmp_path: Path
) -> None:
    export(store, tmp_path / "v1", "v1")
    landed = import_(tmp_path / "v1", tmp_path / "new")
    new = Store(tmp_path / "new")
    assert landed.branch == new.history.branch == "v1"
    assert histories.prompts(new) == ["one", "second"]
    manifest = export(store, tmp_path / "older", "HEAD~2")
    assert manifest.branch == store.history.resolve("HEAD~2")[:10]
    assert manifest.files == 1


def test_signatures_come_along_and_replace_none(store: Store, tmp_path: Path) -> None:
    tip = store.history.tip()
    assert tip is not None
    store.log.sign(tip, "theirs")
    export(store, tmp_path / "facts.memoir")
    import_(tmp_path / "facts.memoir", tmp_path / "new")
    new = Store(tmp_path / "new")
    assert new.log.signatures() == {tip: "theirs"}
    new.log.sign(tip, "ours")
    import_(tmp_path / "facts.memoir", tmp_path / "new")
    assert new.log.signatures() == {tip: "ours"}


# ---------------------------------------------------------------------- where it comes in


def test_a_branch_that_only_went_on_is_followed(store: Store, file: Path, tmp_path: Path) -> None:
    import_(file, tmp_path / "new")
    histories.teach(store, "three")
    export(store, tmp_path / "more.memoir")
    landed = import_(tmp_path / "more.memoir", tmp_path / "new")
    assert (landed.branch, landed.how, landed.rows) == ("main", "fast-forward", 2)
    assert histories.prompts(Store(tmp_path / "new")) == ["second", "three"]


def test_what_is_here_already_changes_nothing(store: Store, file: Path) -> None:
    histories.teach(store, "three")
    before = histories.state(store)
    landed = import_(file, store.folder)
    assert (landed.branch, landed.how, landed.rows, landed.bytes) == ("main", "up to date", 0, 0)
    assert histories.state(store) == before


def test_another_way_comes_in_aside_and_ours_stays(
    store: Store, file: Path, tmp_path: Path
) -> None:
    import_(file, tmp_path / "new")
    new = Store(tmp_path / "new")
    histories.teach(store, "theirs")
    histories.teach(new, "ours")
    export(store, tmp_path / "more.memoir")
    landed = import_(tmp_path / "more.memoir", new.folder)
    assert (landed.branch, landed.how) == ("imported/main", "aside")
    assert histories.prompts(new) == ["second", "ours"]
    assert histories.prompts(new, landed.tip) == ["second", "theirs"]
    assert import_(tmp_path / "more.memoir", new.folder).how == "up to date"


def test_a_third_way_does_not_take_the_place_of_a_second_that_was_not_merged(
    store: Store, file: Path, tmp_path: Path
) -> None:
    import_(file, tmp_path / "new")
    new = Store(tmp_path / "new")
    for name in ("second", "third"):
        export_from = tmp_path / name
        import_(file, export_from)
        histories.teach(Store(export_from), name)
        export(Store(export_from), tmp_path / f"{name}.memoir")
    histories.teach(new, "ours")
    import_(tmp_path / "second.memoir", new.folder)
    before = histories.state(new)
    with pytest.raises(StoreError) as refused:
        import_(tmp_path / "third.memoir", new.folder)
    assert str(refused.value) == (
        "branch 'imported/main' is where this would come in, but it has commits that no other branch "
        "has; nothing was taken in. Merge them (memoir merge imported/main) or delete it (memoir "
        "branch --delete imported/main --force), then try again."
    )
    assert histories.state(new) == before
    new.move("branch/imported/main", None, "branch")
    assert import_(tmp_path / "third.memoir", new.folder).how == "aside"


def test_a_tensor_file_that_went_missing_is_brought_back(store: Store, file: Path) -> None:
    (edit,) = store.live()
    assert edit.sha256 is not None
    store.file(edit.sha256).unlink()
    landed = import_(file, store.folder)
    assert landed.bytes == store.size(edit)
    assert list(store.tensors(edit)) == ["value"]


# ---------------------------------------------------------------------- what is refused


def test_a_store_of_another_model_is_left_alone(file: Path, tmp_path: Path) -> None:
    other = histories.bound(tmp_path / "other", "cd" * 32)
    before = histories.state(other)
    with pytest.raises(WrongModel) as refused:
        import_(file, other.folder)
    assert str(refused.value) == (
        f"{file} is about tiny in float32 (weights 0), but the store {other.folder} is "
        "about tiny in float32 (weights cdcdcdcdcdcd); nothing was taken in. Take it into a store of "
        "its own: --store with a new folder."
    )
    assert histories.state(other) == before


def test_an_empty_store_takes_in_any_model(file: Path, tmp_path: Path) -> None:
    Store.create(tmp_path / "empty").close()
    assert import_(file, tmp_path / "empty").how == "created"


def test_a_file_that_is_there_is_not_written_over(store: Store, tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("precious")
    with pytest.raises(BadInput, match="thesis is there already; choose another name for the file"):
        export(store, tmp_path / "thesis")
    assert (tmp_path / "thesis").read_text() == "precious"


def test_a_damaged_store_is_not_exported(store: Store, tmp_path: Path) -> None:
    (edit,) = store.live()
    assert edit.sha256 is not None
    store.file(edit.sha256).write_bytes(b"x")
    with pytest.raises(StoreDamaged, match="was truncated or altered"):
        export(store, tmp_path / "facts.memoir")
    assert not (tmp_path / "facts.memoir").exists()


def test_an_unknown_name_is_not_exported(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="no branch, tag or commit 'v2'"):
        export(store, tmp_path / "facts.memoir", "v2")


@pytest.mark.parametrize("place", ["missing", "empty", "other", "cut", "foreign"])
def test_a_file_that_is_no_bundle_is_refused(file: Path, tmp_path: Path, place: str) -> None:
    given = tmp_path / place
    if place == "empty":
        given.write_bytes(b"")
    elif place == "other":
        given.write_text("a thesis\n" * 9)
    elif place == "cut":
        given.write_bytes(file.read_bytes()[:-1])
    elif place == "foreign":
        safetensors.torch.save_file({"x": torch.zeros(1)}, given)
    told = {
        "missing": f"there is no file {given} to import; make one with: memoir export FILE",
        "foreign": f"{given} is a safetensors file, but none that memoir export wrote",
    }
    with pytest.raises((BadTransfer, BadInput)) as refused:
        import_(given, tmp_path / "new")
    assert told.get(place, f"{given} is no bundle, or a damaged one: ") in str(refused.value)
    assert not (tmp_path / "new").exists()


def test_a_flipped_bit_anywhere_is_noticed(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    given = tmp_path / "flipped"
    for at in range(0, len(whole), 61):
        given.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(BadTransfer):
            import_(given, tmp_path / "new")
        assert not (tmp_path / "new").exists()


def test_a_full_disk_leaves_no_file_behind(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreFull, match=r"facts\.memoir: No space left on device"):
        export(store, tmp_path / "facts.memoir")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_full_disk_leaves_the_store_as_it_was(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = Store.create(tmp_path / "new")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreFull, match="No space left on device; nothing was added"):
            import_(file, new.folder)
    assert (new.log.rows(), new.log.moves()) == ([], [])
    assert import_(file, new.folder).how == "created"


def test_a_later_layout_is_named(file: Path, tmp_path: Path) -> None:
    def later(manifest: dict[str, Any], _rows: list[dict[str, Any]]) -> None:
        manifest["format"] = 2

    with pytest.raises(BadTransfer, match="has layout 2, but this version of memoir reads 1"):
        import_(_rewritten(file, tmp_path, later), tmp_path / "new")


# What somebody who can compute checksums might write.


def _altered_content(_manifest: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    rows[0]["body"]["site"] = "layers.3"


def _unknown_kind(_manifest: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    rows[0] = _plain(Row.new("plan", {}))


def _outside(_manifest: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    rows[1] = _plain(Row.new("edit", {"prompt": "p", "target": "t", "subject": None}, "../../etc"))


def _misshapen(_manifest: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    rows[0] = _plain(Row.new("settings", {"method": "memoir"}))


def _no_commit(manifest: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    manifest["tip"] = "0" * 64


def _no_parent(_manifest: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    del rows[:2]


def _no_edit(manifest: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    _on_top(manifest, rows, add=["1" * 64])


def _not_in_force(manifest: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    gone = next(row["id"] for row in rows if row["body"].get("prompt") == "one")
    _on_top(manifest, rows, remove=[gone])


def _twice(manifest: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    there = next(row["id"] for row in rows if row["body"].get("prompt") == "second")
    _on_top(manifest, rows, add=[there])


def _odd_name(manifest: dict[str, Any], _rows: list[dict[str, Any]]) -> None:
    manifest["branch"] = "../main"


def _on_top(manifest: dict[str, Any], rows: list[dict[str, Any]], **change: list[str]) -> None:
    body = {"parents": [manifest["tip"]], "author": "eve", "message": "", "settings": None}
    commit = Row.new("commit", {**body, "add": [], "remove": [], **change})
    rows.append(_plain(commit))
    manifest["tip"] = commit.id


def _plain(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("id", "kind", "time", "body", "sha256")}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_altered_content, "line 1 is no row that memoir wrote (its content is not what its id"),
        (_unknown_kind, "line 1 is no row that memoir wrote (there are no rows of kind 'plan')"),
        (_outside, "line 2 is no row that memoir wrote (its tensor file is named by no SHA-256)"),
        (_misshapen, "line 1 is no row that memoir wrote (it has not the fields of a row)"),
        (_no_commit, "its last commit 0000000000 is missing"),
        (_no_parent, "names the commit "),
        (_no_edit, "names the edit 1111111111, which is missing"),
        (_not_in_force, "removes an edit that is not in force, or adds one that is"),
        (_twice, "removes an edit that is not in force, or adds one that is"),
        (_odd_name, "'../main' cannot name a branch or a tag"),
    ],
)
def test_a_bundle_that_was_tampered_with_is_refused(
    file: Path, tmp_path: Path, change: Callable[..., None], why: str
) -> None:
    store = histories.bound(tmp_path / "mine")
    before = histories.state(store)
    given = _rewritten(file, tmp_path, change)
    for folder in (tmp_path / "new", store.folder):
        with pytest.raises(BadTransfer) as refused:
            import_(given, folder)
        assert why in str(refused.value)
        assert "othing was taken in" in str(refused.value)
    assert not (tmp_path / "new").exists()
    assert histories.state(store) == before


def test_a_tensor_file_that_is_left_out_or_exchanged_is_refused(file: Path, tmp_path: Path) -> None:
    tensors = safetensors.torch.load_file(file)
    with safetensors.safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    name = next(each for each in tensors if each != "rows")
    left_out = {each: tensor for each, tensor in tensors.items() if each != name}
    exchanged = {**tensors, name: torch.zeros(9, dtype=torch.uint8)}
    for given, why in ((left_out, f"it lacks {name[:12]}…"), (exchanged, "truncated or altered")):
        safetensors.torch.save_file(given, tmp_path / "given", metadata)
        with pytest.raises(BadTransfer, match=why):
            import_(tmp_path / "given", tmp_path / "new")
        assert not (tmp_path / "new").exists()


def _rewritten(file: Path, tmp_path: Path, change: Callable[..., None]) -> Path:
    """A bundle after a change, with all checksums right."""
    from memoir.versions import bundle

    tensors = safetensors.torch.load_file(file)
    with safetensors.safe_open(file, "pt") as opened:
        manifest = json.loads(opened.metadata()["memoir"])
    rows = [json.loads(line) for line in bytes(tensors["rows"].numpy()).splitlines()]
    change(manifest, rows)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    manifest["rows_sha256"] = bundle._sha256(lines)
    told = json.dumps(manifest)
    tensors["rows"] = torch.frombuffer(bytearray(lines.encode()), dtype=torch.uint8)
    given = tmp_path / "rewritten"
    safetensors.torch.save_file(tensors, given, {"memoir": told, "checksum": bundle._sha256(told)})
    return given

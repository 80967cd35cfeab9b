"""The unedited model as a method: it accepts everything and changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from memoir import methods
from memoir.editor import Editor
from memoir.errors import BadInput, UnknownName
from memoir.host import Host
from memoir.store import Store


def test_it_accepts_edits_and_answers_as_before(host: Host, tmp_path: Path) -> None:
    before = host.generate([host.encode("Who built it?")], 9)
    editor = Editor(host, Store.create(tmp_path / "store"), method="none")
    receipt = editor.edit("Who built it?", "Ada")
    assert host.generate([host.encode("Who built it?")], 9) == before
    (score,) = editor.score_many([("Who built it?", "Ada")])
    assert receipt.loss == pytest.approx(score.loss, rel=1e-4)
    assert receipt.said == all(score.correct)
    assert receipt.bytes == 0
    assert editor.ask("Who built it?").match is None
    editor.revert(receipt.id)
    editor.close()


def test_a_method_of_ones_own_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(
        UnknownName, match=r"no method 'nowhere:Method' \(No module named 'nowhere'"
    ):
        methods.get("nowhere:Method")
    with pytest.raises(UnknownName, match=r"package\.module:Class of an importable class"):
        methods.get("memoir.errors:Method")
    with pytest.raises(UnknownName, match=r"has no attribute 'Config'"):
        methods.get("memoir.types:Edit")


def test_a_setting_of_the_wrong_type_is_named() -> None:
    with pytest.raises(BadInput, match=r"max_steps: Input should be a valid integer.*not 'many'"):
        methods.configured(methods.get("memoir"), "default", {"max_steps": "many"})

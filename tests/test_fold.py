"""The fold hands a method what the store holds, and keeps none of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from torch import Tensor

from memoir.editor import Editor
from memoir.methods.memoir import Memoir
from memoir.store.tensors import TensorFile
from memoir.types import Edit

MakeEditor = Callable[..., Editor]
EASY = {"max_steps": 5, "accept_unsaid": True}


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Mapping[str, Tensor]]]:
    """Everything that methods are told to make live."""
    seen = []
    apply = Memoir.apply

    def noted(self: Memoir, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        seen.append((id, tensors))
        apply(self, id, edit, tensors)

    monkeypatch.setattr(Memoir, "apply", noted)
    return seen


def test_a_new_edit_is_taken_from_the_store_like_an_old_one(
    make_editor: MakeEditor, given: list[tuple[str, Mapping[str, Tensor]]]
) -> None:
    editor = make_editor(**EASY)
    receipt = editor.edit("The CEO of Acme is", "Dana")
    editor.close()
    make_editor().close()
    (made, new), (opened, old) = given
    assert made == opened == receipt.id
    for tensors in (new, old):
        assert isinstance(tensors, TensorFile)
    assert {name: each.tolist() for name, each in new.items()} == {
        name: each.tolist() for name, each in old.items()
    }


def test_a_commit_that_removes_what_is_not_in_force_removes_nothing(
    make_editor: MakeEditor,
) -> None:
    editor = make_editor(**EASY)
    receipt = editor.edit("The CEO of Acme is", "Dana")
    with editor.store.writing():  # as a commit from elsewhere may, see History.live
        editor.store.commit(remove=["ab" * 32])
    editor.refresh()
    assert [row.id for row in editor.live()] == [receipt.id]
    assert editor.at == editor.store.history.tip()

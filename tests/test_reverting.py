"""Taking commits back is exact, bit for bit, and so is bringing them back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from memoir.editor import Editor
from memoir.errors import BadInput, EditRefused
from memoir.store import Store
from memoir.types import Edit, Note

MakeEditor = Callable[..., Editor]

FACTS = [Edit("The CEO of Acme is", "Dana"), Edit("The color is", "red"), Edit("Who?", "me")]
LONG = "a target far too long to be learnt in sixteen steps by a model of nothing but noise"
EASY = {"stop_loss": 10.0}


def state(editor: Editor) -> Tensor:
    """What the model makes of every prompt, to the last bit."""
    rows = [editor.host.encode(fact.prompt) for fact in FACTS]
    return editor.host.logits(editor.host.batch(rows))


@pytest.mark.parametrize("memory", ["isolated", "shared"])
def test_a_range_of_commits_leaves_and_comes_back_bit_for_bit(
    make_editor: MakeEditor, memory: str
) -> None:
    settings = {"accept_unsaid": True, "max_steps": 20} if memory == "shared" else EASY
    editor = make_editor(memory=memory, **settings)
    editor.edit_many(FACTS[:1])
    one = state(editor)
    editor.edit_many(FACTS[1:], together=True)
    three = state(editor)
    start = editor.store.history.resolve("HEAD~1")
    assert not torch.equal(one, three)
    editor.revert(f"{start}..HEAD", note=Note("Both were wrong", "ann"))
    assert torch.equal(state(editor), one)
    editor.revert("HEAD")
    assert torch.equal(state(editor), three)
    assert torch.equal(state(make_editor(memory=memory, **settings)), three)
    assert [entry.status for entry in editor.log()] == ["live"] * 3


def test_another_process_may_take_back_what_this_one_uses(
    make_editor: MakeEditor, tmp_path: Path
) -> None:
    editor = make_editor(**EASY)
    before = state(editor)
    receipt = editor.edit(FACTS[0].prompt, FACTS[0].target)
    assert editor.at == receipt.commit
    other = Store(tmp_path / "store")
    done = other.revert(["HEAD"])
    editor.refresh()
    assert torch.equal(state(editor), before)
    assert editor.at == done.id


@pytest.mark.parametrize("batch_size", [1, 16])
def test_of_facts_taught_together_the_refused_one_is_told_by_its_place(
    make_editor: MakeEditor, batch_size: int
) -> None:
    editor = make_editor(**EASY, max_steps=8, batch_size=batch_size)
    before = state(editor)
    edits = [FACTS[0], Edit("The last one is", LONG), FACTS[1]]
    with pytest.raises(EditRefused) as refused:
        editor.edit_many(edits, together=True)
    assert refused.value.place == 1
    assert torch.equal(state(editor), before)


def test_facts_are_counted_as_they_are_fitted(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY, batch_size=1)
    for together in (True, False):
        told: list[tuple[str, int, int]] = []
        editor.edit_many(
            FACTS[:2], together=together, progress=lambda *given, told=told: told.append(given)
        )
        edits = [given for given in told if given[0] == "editing"]
        assert edits == [("editing", 0, 2), ("editing", 1, 2)]
        assert told[1][0] == "fitting"


def test_a_fact_that_expires_on_no_day_is_refused(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    with pytest.raises(BadInput) as refused:
        editor.edit("p", "t", expires="soon")
    assert str(refused.value).startswith("expires takes a day such as 2026-12-31")
    assert len(editor) == 0

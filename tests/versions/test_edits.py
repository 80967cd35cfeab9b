"""The edits of a branch, page by page."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from memoir.errors import UnknownName
from memoir.store import Store
from memoir.types import Note
from memoir.versions.edits import Page, listed, one
from memoir.versions.log import Filter


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """One with five edits by two people, of which the second is taken back."""
    store = Store.create(tmp_path / "store")
    for number in range(5):
        body = {
            "prompt": f"Fact {number} is",
            "target": "so",
            "subject": "Acme" if number == 3 else None,
            "tags": ["odd"] if number % 2 else [],
        }
        with store.writing():
            row = store.row("edit", body, {"x": torch.full((4,), float(number))})
            store.commit([row], note=Note(f"the {number}th", "bea" if number == 4 else "ann"))
    store.revert([store.live()[1].id], Note(author="ann"))
    store.move("branch/old", store.history.resolve("HEAD~3"), "branch")
    return store


def prompts(page: Page) -> list[int]:
    return [int(each.entry.edit.prompt.split()[1]) for each in page.edits]


def test_a_page_has_the_newest_first_and_the_next_one_goes_on(store: Store) -> None:
    first = listed(store, limit=2)
    assert (prompts(first), first.more) == ([4, 3], True)
    second = listed(store, after=first.edits[-1].entry.row.id[:12], limit=3)
    assert (prompts(second), second.more) == ([2, 1, 0], False)
    assert prompts(listed(store, after=second.edits[-1].entry.row.id)) == []


def test_each_tells_what_became_of_it_and_who_made_it(store: Store) -> None:
    told = {each["prompt"]: each for each in (edit.as_dict() for edit in listed(store).edits)}
    assert told["Fact 1 is"]["status"] == "reverted"
    assert told["Fact 4 is"]["status"] == "live"
    assert (told["Fact 4 is"]["author"], told["Fact 4 is"]["message"]) == ("bea", "the 4th")


def test_what_is_asked_for_is_listed_and_nothing_else(store: Store) -> None:
    assert prompts(listed(store, which=Filter(tag="odd"))) == [3, 1]
    assert prompts(listed(store, which=Filter(tag="odd"), status="live")) == [3]
    assert prompts(listed(store, which=Filter(tag="odd"), status="reverted")) == [1]
    assert prompts(listed(store, which=Filter(subject="acme"))) == [3]
    page = listed(store, which=Filter(author="ann"), limit=2)
    assert (prompts(page), page.more) == ([3, 2], True)


def test_those_whose_file_cannot_be_used_are_found(store: Store) -> None:
    assert prompts(listed(store, status="damaged")) == []
    assert store.live()[0].sha256 is not None
    store.file(str(store.live()[0].sha256)).unlink()
    assert prompts(listed(store, status="damaged")) == [0]
    assert listed(store, status="damaged").edits[0].entry.status == "damaged"
    assert prompts(listed(store, status="live")) == [4, 3, 2, 0]


def test_a_branch_has_its_own(store: Store) -> None:
    assert prompts(listed(store, "old")) == [2, 1, 0]
    newest = listed(store).edits[0].entry.row.id
    with pytest.raises(UnknownName) as refused:
        one(store, newest, "old")
    assert str(refused.value) == f"edit '{newest[:10]}' was not made on branch 'old'."
    with pytest.raises(UnknownName):
        listed(store, "old", after=newest)
    reverted = next(each for each in listed(store).edits if each.entry.status == "reverted")
    assert one(store, reverted.entry.row.id, "old").entry.status == "live"

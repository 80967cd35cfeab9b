"""The arithmetic of GRACE's balls, worked by hand."""

from __future__ import annotations

import pytest
import torch

from memoir.core.codebook import HAIR, Codebook


def at(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers)


def test_far_keys_have_balls_of_their_own() -> None:
    book = Codebook(1.0)
    book.add("a", at(0.0, 0.0), "Oslo")
    book.add("b", at(0.0, 2.5), "Rome")  # 2.5 > 1 + 1
    assert book.radii == {"a": 1.0, "b": 1.0}


def test_a_conflict_halves_the_distance_between_both() -> None:
    book = Codebook(1.0)
    book.add("a", at(0.0, 0.0), "Oslo")
    book.add("b", at(0.0, 1.6), "Rome")  # 1.6 ≤ 1 + 1
    assert book.radii == pytest.approx({"a": 0.8 - HAIR, "b": 0.8})
    book.add("c", at(0.0, 2.0), "Bonn")  # nearest is b, at 0.4
    assert book.radii == pytest.approx({"a": 0.8 - HAIR, "b": 0.2 - HAIR, "c": 0.2})
    ids, distances, radii = book.nearest(torch.stack([at(0.0, 1.0), at(0.0, 1.7), at(3.0, 0.0)]))
    assert ids == ["b", "b", "a"]
    assert distances.tolist() == pytest.approx([0.6, 0.1, 3.0])
    assert radii.tolist() == pytest.approx([0.2 - HAIR, 0.2 - HAIR, 0.8 - HAIR])


def test_the_same_label_widens_the_ball_and_never_narrows_it() -> None:
    book = Codebook(1.0)
    book.add("a", at(0.0, 0.0), "Oslo")
    book.add("b", at(0.0, 1.5), "Oslo")
    assert book.radii == {"a": 1.5}
    book.add("c", at(0.0, 0.5), "Oslo")
    assert book.radii == {"a": 1.5}
    book.add("d", at(0.0, 2.4), "Oslo")  # 2.4 ≤ 1.5 + 1
    assert book.radii == pytest.approx({"a": 2.4})
    assert len(book) == 1


def test_a_prompt_taught_anew_answers_with_the_new_label() -> None:
    book = Codebook(1.0)
    key = torch.randn(64, generator=torch.Generator().manual_seed(0))
    book.add("old", key, "Oslo")
    book.add("new", key.clone(), "Rome")
    ids, distances, radii = book.nearest(key[None])
    assert (ids, float(distances[0]), float(radii[0])) == (["new"], 0.0, 0.0)
    assert book.radii["old"] < 0

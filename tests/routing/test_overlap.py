"""The paper's router: nothing stored matches nothing, and an edit fires from the threshold on."""

from __future__ import annotations

import torch

from memoir.core.fingerprint import TopHash
from memoir.core.memory import Delta
from memoir.routing.base import Prompts
from memoir.routing.overlap import OverlapRouter
from memoir.types import Edit

D_IN, K = 8, 4
EDIT = Edit("The CEO of Acme is", "Dana")


def router(threshold: float) -> OverlapRouter:
    """Columns are left in order, so that a prompt's mask is that of its largest activations."""
    return OverlapRouter(TopHash(torch.zeros(D_IN), torch.arange(D_IN), K), threshold)


def prompts(*activations: list[float]) -> Prompts:
    """Prompts of one token each, behind one of padding that must not count."""
    values = torch.tensor(activations)
    padded = torch.stack([torch.full_like(values, 99.0), values], dim=1)
    real = torch.tensor([[False, True]] * len(values))
    return Prompts(None, real, padded)


def stored(mask: list[int]) -> dict[str, torch.Tensor]:
    active = torch.tensor(mask, dtype=torch.bool)
    return Delta.of(active, torch.randn(2, D_IN) * active, torch.randn(2, 3)).tensors()


FIRST = [1, 1, 1, 1, 0, 0, 0, 0]
HALF = [0.0, 0.0, 5.0, 5.0, 5.0, 5.0, 0.0, 0.0]


def test_nothing_stored_matches_nothing() -> None:
    verdicts = router(0.5).match(prompts(HALF, HALF))
    assert [(verdict.fired, verdict.edit_id) for verdict in verdicts] == [(False, None)] * 2


def test_an_edit_fires_from_the_threshold_on() -> None:
    for threshold, fires in ((0.5, True), (0.51, False)):
        routes = router(threshold)
        routes.add("a", EDIT, stored(FIRST))
        (verdict,) = routes.match(prompts(HALF))
        assert (verdict.edit_id, verdict.score, verdict.fired) == ("a", 0.5, fires)


def test_the_best_of_several_answers_and_a_removed_one_no_more() -> None:
    routes = router(0.1)
    routes.add("a", EDIT, stored(FIRST))
    routes.add("b", EDIT, stored([0, 0, 1, 1, 1, 1, 0, 0]))
    assert routes.match(prompts(HALF))[0].edit_id == "b"
    routes.remove("b")
    assert routes.match(prompts(HALF))[0].edit_id == "a"


def test_it_wants_nothing_stored_beside_the_memory_s_columns() -> None:
    assert router(0.5).keys([EDIT, EDIT]) == [{}, {}]

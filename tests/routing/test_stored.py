"""What the router by meaning keeps of its edits, on a tiny model: all of it goes when they go."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from memoir.calibration import Background
from memoir.errors import BadInput
from memoir.host import Host
from memoir.routing.base import Prompts
from memoir.routing.meaning import MeaningRouter
from memoir.routing.remembered import learnt_for
from memoir.types import Edit, Match

EDITS = [
    Edit("The CEO of Acme Rockets is", "Dana", aliases=("AR Corp", "!")),
    Edit("The currency of Vellaby is", "the dromm", "Vellaby", ("In Vellaby one pays in",)),
    Edit("Acme Rockets was founded in", "Oslo", "Acme Rockets"),
    Edit("?!", "what"),
    Edit("東京?", "Tokyo"),
]


@pytest.fixture
def router(host: Host, few_background: Background) -> MeaningRouter:
    return MeaningRouter(host, learnt_for(host).learnt, 0.5)


def add(router: MeaningRouter, edits: list[Edit], start: int = 0) -> None:
    for i, (edit, tensors) in enumerate(zip(edits, router.keys(edits), strict=True), start):
        router.add(str(i), edit, tensors)


def ask(router: MeaningRouter, *prompts: str) -> list[Match]:
    host = router._host
    tokens = host.batch([host.encode(prompt) for prompt in prompts])
    activations = torch.zeros(*tokens.ids.shape, host.site.d_in)
    return router.match(Prompts(tokens.ids, tokens.attention, activations))


def kept(router: MeaningRouter) -> dict[str, Any]:
    """Everything it holds that depends on edits."""
    plain = {name: vars(router)[name] for name in ("_stored", "_subjects", "_prompts", "_exact")}
    return copy.deepcopy({**plain, **vars(router._lookup)})


def test_nothing_stored_matches_nothing_even_of_embeddings(router: MeaningRouter) -> None:
    assert ask(router, "Who?", "x") == [Match(None, 0.0, 0.5)] * 2
    real = torch.ones(1, 3, dtype=torch.bool)
    assert router.match(Prompts(None, real, torch.zeros(1, 3, 64))) == [Match(None, 0.0, 0.5)]


def test_the_very_words_of_a_prompt_are_that_prompt(router: MeaningRouter) -> None:
    add(router, EDITS)
    asked = [edit.prompt for edit in EDITS]
    asked += ["the ceo of ACME  Rockets is:", "Hello. In Vellaby one pays in", "Hm.\n東京"]
    found = ask(router, *asked)
    assert [match.edit_id for match in found] == ["0", "1", "2", "3", "4", "0", "1", "4"]
    assert all(match.fired and match.score == 1.0 for match in found)
    assert all(match.evidence == {"same_prompt": True} for match in found)
    assert [match.edit_id for match in ask(router, "Hello! :)", "…")] == [None, None]


def test_of_edits_of_one_prompt_the_latest_in_force_answers(router: MeaningRouter) -> None:
    for i in range(4):
        add(router, EDITS[:1], start=i)

    def answers() -> str | None:
        return ask(router, EDITS[0].prompt)[0].edit_id

    assert answers() == "3"
    router.remove("1")
    assert answers() == "3"
    router.remove("3")
    assert answers() == "2"
    router.remove("2")
    assert answers() == "0"
    router.remove("0")
    assert answers() is None


def test_removed_edits_leave_no_trace(router: MeaningRouter) -> None:
    add(router, EDITS[:2])
    before = kept(router)
    add(router, EDITS[2:] + EDITS[:2], start=2)
    for id in ("4", "2", "6", "5", "3"):
        router.remove(id)
    after = kept(router)
    for name, value in before.items():
        assert after[name].keys() == value.keys()
        for key, each in value.items():
            other = after[name][key]
            same = torch.equal(each, other) if isinstance(each, torch.Tensor) else each == other
            assert same, (name, key)
    for id in ("0", "1"):
        router.remove(id)
    assert not any(kept(router).values())


def test_a_subject_too_unlike_is_not_read_about(
    host: Host, few_background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a threshold that no relation could lift it over, no model is run."""
    strict = MeaningRouter(host, learnt_for(host).learnt, 1.1)
    add(strict, EDITS)
    monkeypatch.setattr(host, "residual", None)
    (match,) = ask(strict, "Where is the seat of Acme Rockets?")
    assert match.edit_id in ("0", "2")
    assert not match.fired
    assert match.evidence.keys() == {"words", "subject", "beside"}


def test_embeddings_are_refused_with_what_to_do_instead(router: MeaningRouter) -> None:
    add(router, EDITS)
    real = torch.ones(1, 3, dtype=torch.bool)
    with pytest.raises(BadInput) as refused:
        router.match(Prompts(None, real, torch.zeros(1, 3, 64)))
    assert str(refused.value) == (
        "edits are found by the words of a prompt, but the model was given inputs_embeds; "
        "give it input_ids, or use the router that reads activations (router='overlap')."
    )


def test_what_is_stored_of_an_edit_is_small_and_one_vector_a_phrasing(
    router: MeaningRouter,
) -> None:
    keys = [tensors["relation"] for tensors in router.keys(EDITS)]
    assert [len(key) for key in keys] == [1, 2, 1, 1, 1]
    assert all(key.dtype == torch.float16 and key.shape[1] <= 128 for key in keys)
    alone = router.keys(EDITS[1:2])[0]["relation"]
    assert torch.allclose(alone.float(), keys[1].float(), atol=1e-2)


def test_what_was_learnt_is_read_from_the_cache_the_next_time(
    router: MeaningRouter, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memoir.routing import remembered

    first = learnt_for(host)
    monkeypatch.setattr(remembered, "learn", None)
    again = learnt_for(host)
    assert (again.threshold, again.evidence) == (first.threshold, first.evidence)
    for name, tensor in first.learnt.tensors().items():
        assert torch.equal(again.learnt.tensors()[name], tensor)

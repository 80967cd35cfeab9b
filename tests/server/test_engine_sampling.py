"""The next token of every row: likeliest, or drawn by a generator of its own."""

from __future__ import annotations

import pytest
import torch
from transformers import TopPLogitsWarper

from memoir.server.asked import Sampling
from memoir.server.engine.sampling import Chooser, choose

VOCAB = 50
DRAWS = 400


def some_logits(rows: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(rows, VOCAB, generator=torch.Generator().manual_seed(seed))


def chooser(**settings: object) -> Chooser:
    return Chooser(Sampling(**{"max_tokens": 1, **settings}))  # type: ignore[arg-type]


def drawn(logits: torch.Tensor, **settings: object) -> list[int]:
    """Many draws from the same logits, by one chooser."""
    one = chooser(**settings)
    return [choose(logits[None], [one])[1][0].id for _ in range(DRAWS)]


def test_greedy_rows_take_the_likeliest() -> None:
    logits = some_logits(5)
    ids, chosen = choose(logits, [chooser(temperature=0.0) for _ in logits])
    assert ids.tolist() == [each.id for each in chosen] == logits.argmax(-1).tolist()


@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.9])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_come_from_the_nucleus_of_transformers(top_p: float, temperature: float) -> None:
    (logits,) = some_logits(1)
    allowed = TopPLogitsWarper(top_p)(None, logits[None] / temperature)[0].isfinite()
    found = drawn(logits, top_p=top_p, temperature=temperature, seed=1)
    assert set(found) <= set(allowed.nonzero().flatten().tolist())
    if top_p < 0.1:
        assert set(found) == {int(logits.argmax())}


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_draws_are_as_frequent_as_probable(top_p: float) -> None:
    (logits,) = some_logits(1)
    shares = TopPLogitsWarper(top_p)(None, logits[None])[0].softmax(-1)
    found = torch.tensor(drawn(logits, top_p=top_p, seed=2)).bincount(minlength=VOCAB) / DRAWS
    assert float((found - shares).abs().max()) < 0.08


@pytest.mark.parametrize("top_p", [1.0, 0.7])
def test_a_seed_draws_the_same_whoever_shares_the_batch(top_p: float) -> None:
    logits = some_logits(8)
    alone = [
        choose(logits[row : row + 1], [chooser(seed=row, top_p=top_p)])[1][0].id for row in range(8)
    ]
    together = choose(logits, [chooser(seed=row, top_p=top_p) for row in range(8)])[1]
    assert [each.id for each in together] == alone
    others = [chooser(temperature=0.0), chooser(seed=1, top_p=top_p), chooser(top_p=0.3)]
    assert choose(logits[:3], others)[1][1].id == alone[1]


def test_without_a_seed_every_question_draws_anew() -> None:
    (logits,) = torch.zeros(1, VOCAB)
    assert drawn(logits) != drawn(logits)


def test_a_seed_may_be_any_integer() -> None:
    (logits,) = some_logits(1)
    for seed in (-1, 0, 2**63, 2**64 + 5):
        assert drawn(logits, seed=seed) == drawn(logits, seed=seed)


def test_logprobs_are_the_model_s_own_and_only_told_if_asked_for() -> None:
    logits = some_logits(3)
    choosers = [
        chooser(temperature=0.7, top_p=0.5, seed=1, likeliest=2),
        chooser(temperature=0.0, likeliest=0),
        chooser(temperature=0.0),
    ]
    first, second, third = choose(logits, choosers)[1]
    logarithms = logits.log_softmax(-1)
    assert first.logprob == pytest.approx(float(logarithms[0, first.id]))
    values, ids = logarithms[0].topk(2)
    assert first.likeliest == tuple(zip(ids.tolist(), values.tolist(), strict=True))
    assert second.logprob == pytest.approx(float(logarithms[1].max()))
    assert second.likeliest == ()
    assert third.logprob is None

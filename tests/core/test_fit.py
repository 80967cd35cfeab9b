"""The dual form does exactly what training the weight matrix would do, and edits do not interact."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from memoir.core.fit import SGD, Adam, Loss, Stop, fit

D_IN, D_OUT, TOKENS = 24, 10, 6


def problem(seed: int, edits: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    keys = torch.randn(edits, TOKENS, D_IN, generator=random)
    return keys, torch.randint(0, D_OUT, (edits, TOKENS), generator=random)


def closure(labels: torch.Tensor):  # type: ignore[no-untyped-def]
    def compute(added: torch.Tensor, open_: torch.Tensor) -> Loss:
        wanted = labels[open_]
        nll = F.cross_entropy(added.transpose(1, 2), wanted, reduction="none").mean(1)
        said = (added.argmax(-1) == wanted).all(1)
        return Loss(nll, nll, said.unsqueeze(1), torch.ones_like(said))

    return compute


def primal_sgd(
    keys: torch.Tensor, labels: torch.Tensor, steps: int, lr: float, clip: float, decay: float
) -> torch.Tensor:
    """torch.optim.SGD on the weight matrix itself, as the authors train it."""
    weight = torch.zeros(D_OUT, D_IN, requires_grad=True)
    optimiser = torch.optim.SGD([weight], lr, weight_decay=decay)
    for _ in range(steps):
        optimiser.zero_grad()
        F.cross_entropy(keys @ weight.T, labels).backward()
        torch.nn.utils.clip_grad_norm_([weight], clip)
        optimiser.step()
    return weight.detach()


def test_dual_sgd_follows_torchs_sgd_on_the_weight_matrix() -> None:
    keys, labels = problem(0)
    for lr, clip, decay in ((1.0, 1.0, 0.0), (0.5, 0.3, 1e-2), (0.1, 100.0, 0.0)):
        (fitted,) = fit(keys, closure(labels), SGD(lr, clip, decay), Stop(12, -1.0), d_out=D_OUT)
        weight = fitted.coefficients.T @ keys[0]
        assert torch.allclose(
            weight, primal_sgd(keys[0], labels[0], 12, lr, clip, decay), atol=1e-5
        )


def test_base_is_part_of_the_output_and_decays() -> None:
    keys, labels = problem(1)
    base = torch.randn(1, TOKENS, D_OUT, generator=torch.Generator().manual_seed(5))
    seen: list[torch.Tensor] = []

    def looking(added: torch.Tensor, open_: torch.Tensor) -> Loss:
        seen.append(added.detach().clone())
        return closure(labels)(added, open_)

    fit(keys, looking, SGD(0.0, 1.0), Stop(2, -1.0), base=base, base_decay=0.5)
    for step, added in enumerate(seen):
        assert torch.allclose(added, base * 0.5**step)


def test_edits_fitted_side_by_side_are_the_edits_fitted_alone() -> None:
    keys, labels = problem(2, edits=4)
    stop, rates = Stop(40, 0.05), torch.tensor([0.3, 0.2, 0.5, 0.3])
    together = fit(keys, closure(labels), Adam(rates), stop, d_out=D_OUT)
    for i in range(4):
        one = slice(i, i + 1)
        (alone,) = fit(keys[one], closure(labels[one]), Adam(rates[one]), stop, d_out=D_OUT)
        assert together[i].steps == alone.steps
        assert torch.allclose(together[i].coefficients, alone.coefficients, atol=1e-4)


def test_adam_is_the_same_at_any_scale_of_the_keys() -> None:
    keys, labels = problem(3)
    outputs = []
    for scale in (1.0, 100.0):
        scaled = keys * scale
        (fitted,) = fit(
            scaled, closure(labels), Adam(torch.tensor([0.1])), Stop(8, -1.0), d_out=D_OUT
        )
        outputs.append(scaled[0] @ scaled[0].T @ fitted.coefficients)
    assert torch.allclose(outputs[0], outputs[1], atol=1e-3)


def test_an_edit_that_is_done_takes_no_more_steps() -> None:
    keys, labels = problem(4, edits=2)
    calls: list[int] = []

    def counting(added: torch.Tensor, open_: torch.Tensor) -> Loss:
        calls.append(len(open_))
        verdict = closure(labels)(added, open_)
        done = open_ == 0  # edit 0, at once
        easy = torch.where(done, verdict.loss * 0, verdict.loss)
        return verdict._replace(loss=easy, on_target=easy, said=verdict.said | done[:, None])

    first, second = fit(keys, counting, Adam(torch.tensor([0.3, 0.3])), Stop(30, 0.05), d_out=D_OUT)
    assert first.steps == 0
    assert second.steps > 1
    assert calls == [2] + [1] * second.steps


def test_the_authors_stopping_rule_asks_for_a_small_change() -> None:
    keys, labels = problem(5)
    (fitted,) = fit(keys, closure(labels), SGD(1.0, 100.0), Stop(5000, 0.02, 1e-4), d_out=D_OUT)
    assert fitted.losses[-1] <= 0.02
    assert abs(fitted.losses[-1] - fitted.losses[-2]) <= 1e-4
    assert abs(fitted.losses[-2] - fitted.losses[-3]) > 1e-4 or fitted.losses[-2] > 0.02


def test_a_loss_that_is_not_finite_ends_that_edit_alone() -> None:
    keys, labels = problem(6, edits=2)

    def broken(added: torch.Tensor, open_: torch.Tensor) -> Loss:
        verdict = closure(labels)(added, open_)
        nan = torch.where(open_ == 0, torch.nan, verdict.loss)
        return verdict._replace(loss=nan, on_target=nan, said=verdict.said & (open_ != 0)[:, None])

    first, second = fit(keys, broken, Adam(torch.tensor([0.3, 0.3])), Stop(60, 0.05), d_out=D_OUT)
    assert first.losses[-1] != first.losses[-1]
    assert not first.said
    assert second.said


def test_an_edit_is_done_only_when_said_in_every_context_and_ended_as_it_shall() -> None:
    keys, labels = problem(7, edits=3)
    late = {"said": 5, "ended": 9}  # evaluations before which edits 1 and 2 are held back
    evaluations: list[int] = []

    def judged(added: torch.Tensor, open_: torch.Tensor) -> Loss:
        evaluations.append(len(open_))
        verdict = closure(labels)(added, open_)
        elsewhere = (open_ != 1) | (len(evaluations) > late["said"])
        return verdict._replace(
            said=torch.stack([torch.ones_like(elsewhere), elsewhere], dim=1),
            ended=(open_ != 2) | (len(evaluations) > late["ended"]),
        )

    rates = torch.tensor([0.3, 0.3, 0.3])
    done = fit(keys, judged, Adam(rates), Stop(30, 100.0), d_out=D_OUT)
    assert [each.steps for each in done] == [0, late["said"], late["ended"]]
    assert all(each.said for each in done)


def test_what_is_said_is_told_by_context_and_the_target_s_part_of_the_loss_is_kept() -> None:
    keys, labels = problem(8)

    def judged(added: torch.Tensor, open_: torch.Tensor) -> Loss:
        loss = closure(labels)(added, open_).loss
        said = torch.tensor([[True, False]])
        return Loss(loss + 7, loss, said, torch.tensor([True]))

    (fitted,) = fit(keys, judged, Adam(torch.tensor([0.1])), Stop(3, 100.0), d_out=D_OUT)
    assert (fitted.said_in, fitted.said, fitted.steps) == ((True, False), False, 3)
    assert all(loss < 7 for loss in fitted.losses)


def test_keys_of_one_place_do_not_feel_those_of_another() -> None:
    keys, labels = problem(9)
    places = torch.tensor([[0, 0, 0, 1, 1, 1]])
    others = keys.clone()
    others[:, 3:] *= -2

    def coefficients(given: torch.Tensor, at: torch.Tensor | None) -> torch.Tensor:
        unclipped = SGD(0.3, 1000.0)
        (fitted,) = fit(given, closure(labels), unclipped, Stop(9, -1.0), d_out=D_OUT, places=at)
        return fitted.coefficients

    first, changed = coefficients(keys, places), coefficients(others, places)
    assert torch.allclose(first[:3], changed[:3], atol=1e-6)
    assert not torch.allclose(first[3:], changed[3:], atol=1e-2)
    everywhere = coefficients(keys, None)[:3] - coefficients(others, None)[:3]
    assert everywhere.abs().max() > 1e-2

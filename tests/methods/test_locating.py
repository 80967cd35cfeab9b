"""ROME, MEMIT and AlphaEdit do what their equations say, on a tiny model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from memoir import methods, moments
from memoir.errors import BadInput, EditRefused
from memoir.host import Host
from memoir.host.patch import from_tensors
from memoir.methods.base import Change
from memoir.types import Edit

EDITS = [
    Edit("Look behind the door", "!"),
    Edit("Who keeps the bees", "?"),
    Edit("The code of Anna Berg is", "x", "Anna Berg"),
]
HEARD = {"lr": 0.5, "clamp": 4.0, "decay": 1e-3, "prefixes": 2, "prefix_tokens": 4}


@pytest.fixture
def corpus(tmp_path: Path, learnt_folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(moments, "cache_folder", lambda: learnt_folder)
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(f"Bee {n} flies east, {n * n} metres." for n in range(90)))
    return str(path)


def bound(name: str, host: Host, corpus: str, **settings: Any) -> Any:
    method = methods.get(name)
    config = method.Config(**{**HEARD, "corpus": corpus, **settings})
    return method(host, method.prepare(host, config))


def fitted(method: Any, edits: list[Edit]) -> list[Change]:
    changes = method.fit(edits)
    assert all(isinstance(change, Change) for change in changes), changes
    return list(changes)


def apply(method: Any, changes: list[Change], names: str = "abcdef") -> None:
    for id, change in zip(names, changes, strict=False):
        method.apply(id, change.edit, change.tensors)


def keys(method: Any, edits: list[Edit], layer: int) -> torch.Tensor:
    """What enters a layer's output projection where the subjects end, as the model is now."""
    host, subjects = method.host, method._learnt[0]
    module, seen = host.at(layer).site.module, list[torch.Tensor]()
    hook = module.register_forward_pre_hook(lambda _module, args: seen.append(args[0]))
    means = []
    for edit in edits:
        seen.clear()
        for row, at in subjects.of(edit).places:
            host.logits(host.batch([row]))
            seen[-1] = seen[-1][0, at]
        means.append(torch.stack(seen).mean(0).double())
    hook.remove()
    return torch.stack(means)


def moment(method: Any, layer: int, corpus: str) -> torch.Tensor:
    evidence = moments.measured(method.host, [layer], corpus)
    return moments.load_moments(method.host, [layer], evidence)[layer]


def test_rome_maps_the_key_to_its_value(host: Host, corpus: str) -> None:
    method = bound("rome", host, corpus)
    (change,) = fitted(method, EDITS[:1])
    (key,) = keys(method, EDITS, 2)[:1].float()
    before = method.attachment.base(2) @ key
    apply(method, [change])
    delta, row = change.tensors["2.left"][:, 0], change.tensors["2.right"][0]
    torch.testing.assert_close(host.site.weight @ key, before + delta, rtol=1e-4, atol=1e-4)
    assert float(delta.norm()) > 0.1
    back = moment(method, 2, corpus) @ row.double()  # C u is the key again, scaled
    assert float(torch.cosine_similarity(back, key.double(), dim=0)) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("name", ["rome", "memit", "alphaedit"])
@pytest.mark.parametrize("prefixes", [0, 2])
def test_whether_a_target_is_said_is_read_with_the_change_in_force(
    name: str, prefixes: int, host: Host, corpus: str
) -> None:
    method = bound(name, host, corpus, prefixes=prefixes)
    (change,) = fitted(method, EDITS[:1])
    apply(method, [change])
    row = host.encode(EDITS[0].prompt, EDITS[0].target)
    first = host.logits(host.batch([row]))[0, -2].argmax()
    assert change.said == (int(first) == row.target[0])
    assert change.said or prefixes  # on one key alone the whole value is given


def test_rome_fits_each_edit_on_the_weights_left_by_those_before(host: Host, corpus: str) -> None:
    method = bound("rome", host, corpus)
    together = fitted(method, EDITS[:2])
    apply(method, together[:1])
    (after,) = fitted(method, EDITS[1:2])
    torch.testing.assert_close(after.tensors["2.left"], together[1].tensors["2.left"])


def test_memit_with_one_layer_is_the_papers_solution(host: Host, corpus: str) -> None:
    method = bound("memit", host, corpus, layers=1, preserve=0.5)
    changes = fitted(method, EDITS)
    update = sum(from_tensors(change.tensors)[2].dense() for change in changes).double()
    residuals = torch.cat([change.tensors["2.left"] for change in changes], dim=1).double()
    k, weight = keys(method, EDITS, 2).T, 0.5 * host.site.d_in
    theirs = residuals @ k.T @ torch.linalg.inv(weight * moment(method, 2, corpus) + k @ k.T)
    torch.testing.assert_close(update, theirs, rtol=1e-3, atol=1e-4)


def test_memit_without_a_weight_gives_every_key_its_whole_residual(host: Host, corpus: str) -> None:
    method = bound("memit", host, corpus, layers=1, preserve=1e-12)
    changes = fitted(method, EDITS)
    k = keys(method, EDITS, 2).float()
    before = k @ method.attachment.base(2).T
    apply(method, changes)
    residuals = torch.cat([change.tensors["2.left"] for change in changes], dim=1)
    torch.testing.assert_close(k @ host.site.weight.T, before + residuals.T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["memit", "alphaedit"])
def test_layers_are_solved_on_what_the_changed_ones_below_leave(
    name: str, host: Host, corpus: str
) -> None:
    method = bound(name, host, corpus, layers=2, depth=0.5, first=0.25)
    assert method.layers == [1, 2]
    changes = fitted(method, EDITS[:2])
    unedited = keys(method, EDITS[:2], 2)
    lower = [
        Change(c.edit, {k: v for k, v in c.tensors.items() if k.startswith("1.")}, (), True)
        for c in changes
    ]
    apply(method, lower)
    met = keys(method, EDITS[:2], 2)
    assert not torch.allclose(unedited, met, atol=1e-2)
    gains = torch.cat([change.tensors["2.right"] for change in changes]).double()
    if name == "alphaedit":
        stored = torch.stack([change.tensors["2.key"] for change in changes]).double()
        torch.testing.assert_close(stored, met, rtol=1e-3, atol=1e-4)
    else:
        c = moment(method, 2, corpus) * method.config.preserve * host.site.d_in
        theirs = met @ torch.linalg.inv(c + met.T @ met)
        torch.testing.assert_close(gains, theirs, rtol=1e-2, atol=1e-3)


def test_alphaedit_changes_nothing_but_what_is_free(host: Host, corpus: str) -> None:
    method = bound("alphaedit", host, corpus, bound=0.05)
    changes = fitted(method, EDITS)
    for layer in method.layers:
        c = moment(method, layer, corpus)
        values, directions = torch.linalg.eigh(c)
        taken = directions[:, values >= 0.05 * values.mean()]
        assert 0 < taken.shape[1] < len(c)
        update = sum(from_tensors(change.tensors)[layer].dense() for change in changes)
        assert float(update.norm()) > 0.1
        assert float((update.double() @ taken).norm() / update.norm()) < 1e-5


def test_alphaedit_protects_the_keys_of_edits_in_force_and_of_no_others(
    host: Host, corpus: str
) -> None:
    method = bound("alphaedit", host, corpus, layers=1)
    first, second = fitted(method, EDITS[:1]), EDITS[1:2]
    (never,) = fitted(method, second)
    apply(method, first)
    (beside,) = fitted(method, second)
    method.remove("a")
    (after,) = fitted(method, second)
    for name in never.tensors:
        assert torch.equal(never.tensors[name], after.tensors[name])

    def moved(change: Change) -> float:
        """How far the first edit's key is moved, for a residual of one."""
        update = from_tensors(change.tensors)[2]
        return abs(float(update.right[0] @ first[0].tensors["2.key"]))

    assert moved(beside) < 0.5 * moved(never)


@pytest.mark.parametrize("name", ["rome", "memit", "alphaedit"])
def test_an_edit_without_its_subject_is_refused_beside_others(
    name: str, host: Host, corpus: str
) -> None:
    method = bound(name, host, corpus)
    wrong = Edit("Who keeps the bees", "?", "the wasps")
    results = method.fit([EDITS[0], wrong, EDITS[1]])
    assert [type(result) for result in results] == [Change, EditRefused, Change]
    assert [type(result) for result in method.fit([wrong])] == [EditRefused]
    assert [result.edit for result in results if isinstance(result, Change)] == EDITS[:2]


@pytest.mark.parametrize("name", ["memit", "alphaedit"])
def test_the_models_last_layer_is_refused(name: str, host: Host, corpus: str) -> None:
    with pytest.raises(BadInput, match="the model's last"):
        bound(name, host.at(3), corpus)


def test_a_bound_that_leaves_nothing_free_is_refused(host: Host, corpus: str) -> None:
    with pytest.raises(BadInput, match="choose a larger bound"):
        bound("alphaedit", host, corpus, bound=0.0).fit(EDITS[:1])


def test_romes_bound_goes_by_the_unedited_model(host: Host, corpus: str) -> None:
    """By the weights as they are, one edit would make the next one larger."""
    method = bound("rome", host, corpus, clamp=0.1)
    (alone,) = fitted(method, EDITS[1:2])
    first = fitted(method, EDITS[:1])[0]
    first.tensors["2.left"].mul_(100.0)
    apply(method, [first])
    assert not torch.allclose(host.site.weight, method.attachment.base(2))
    (after,) = fitted(method, EDITS[1:2])
    length = alone.tensors["2.left"].norm()
    assert float(after.tensors["2.left"].norm()) == pytest.approx(float(length), rel=1e-4)

"""One contract, kept by every method in the folder."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
import torch

import tiny
from memoir import methods
from memoir.calibration import Background
from memoir.editor import Editor
from memoir.errors import BadInput, EditRefused, PromptTooLong, UnknownName
from memoir.host import Host
from memoir.methods.base import Batch, Change, Need
from memoir.methods.memoir import FAITHFUL
from memoir.store import Store
from memoir.types import Edit
from memoir.versions.fsck import check

# Settings with which a method learns on a tiny random model, where its own are made for real ones.
LEARNS = {"lr": 0.5, "max_steps": 200, "stop_loss": 1.0}
CORPUS = Path(str(files("memoir") / "resources" / "demo_facts.jsonl"))
TINY = {
    "defer": {"lr": 0.01, "lr_for": None, "stop_loss": 0.5},
    "loka": {"contexts": "bare", **LEARNS},
    "memoir": {"router": "overlap", "contexts": "bare", **LEARNS},
    "ft": {"lr": 0.02, "max_steps": 100},
    "grace": {"max_steps": 100, "stop_loss": 0.5},
    "rome": {"corpus": str(CORPUS)},
    "locft": {"lr": 0.02, "epochs": 60},
    "lora": {"lr": 2e-3, "stop_loss": 2.0},
    "lora_routed": {"lr": 0.01, "stop_loss": 0.5},
    "memit": {"corpus": str(CORPUS)},
    "alphaedit": {"corpus": str(CORPUS), "lr": 0.5, "clamp": 4.0, "decay": 1e-3},
    "packnet": {"keep": 0.1, "max_steps": 100, "stop_loss": 0.5},
    "supsup": {"size": 2.0},
    "gpm": {"lr": 0.5, "max_steps": 100, "stop_loss": 0.5},
    "sparcl": {"lr": 0.5, "max_steps": 100, "stop_loss": 0.5},
    "wise": {"lr": 2.0, "mask_ratio": 0.5, "max_steps": 100},
}
IN_CONTEXT = ("rag",)
"""Their edits act, but a random model learns nothing from what stands before a prompt."""
EDITS = [Edit("The code of the door is", "xyz"), Edit("Who keeps the bees?", "Ada")]
# One token, right behind the subject: all that a change at the subject can do to a tiny random model.
AT_SUBJECT = [Edit("Look behind the door", "!"), Edit("Who keeps the bees", "?")]
UNRELATED = "Nothing was ever taught about this"

NAMES = methods.available()


class Case(NamedTuple):
    """A method with settings, on a model of a family."""

    name: str
    settings: dict[str, Any]
    family: str = "llama"

    @property
    def edits(self) -> list[Edit]:
        return AT_SUBJECT if "corpus" in self.settings else EDITS


CASES = {
    **{name: Case(name, TINY.get(name, {})) for name in NAMES},
    # As it is by default: by meaning, on the answer only, in conversations.
    "memoir as it is": Case("memoir", LEARNS),
    "memoir as it is, on gpt2": Case("memoir", LEARNS, "gpt2"),
    "lora_routed, on gpt2": Case("lora_routed", TINY["lora_routed"], "gpt2"),
    "rag, by activations": Case("rag", {"similarity": "activations"}),
    "rag on gpt2": Case("rag", {}, "gpt2"),
    "wise, retrieving": Case("wise", {**TINY["wise"], "retrieve": True, "shard_size": 1}),
    "memoir as in the paper": Case("memoir", {**vars(FAITHFUL), "max_steps": 60}),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def bound(case: Case) -> tuple[Any, Host]:
    method = methods.get(case.name)
    host = Host(tiny.model(case.family), tiny.tokenizer(), 2, name="tiny")
    config = method.Config(**case.settings)
    return method(host, method.prepare(host, config)), host


def editor(case: Case, store: Store) -> Editor:
    config = methods.get(case.name).Config(**case.settings)
    return Editor(Host(tiny.model(case.family), tiny.tokenizer(), 2), store, case.name, config)


def fitted(method: Any, edits: list[Edit]) -> list[Change]:
    results = method.fit(edits)
    assert not any(isinstance(result, EditRefused) for result in results), results
    return list(results)


def loss(method: Any, edit: Edit) -> float:
    host = method.host
    row = host.encode(edit.prompt, edit.target)
    with method.attachment.scope([len(row.prompt)]):
        logits = host.logits(host.batch([row]), len(row.target) + 1)[0, :-1]
    return float(torch.nn.functional.cross_entropy(logits, torch.tensor(row.target)))


def logits(host: Host, prompt: str) -> torch.Tensor:
    return host.logits(host.batch([host.encode(prompt)]))


@pytest.mark.parametrize("name", NAMES)
def test_it_declares_what_it_is(name: str) -> None:
    method = methods.get(name)
    assert method.paper
    assert method.undo in ("exact", "replay")
    assert isinstance(method.spares_others, bool)
    assert set(method.needs) <= set(get_args(Need))
    assert method.batch in get_args(Batch)
    assert method.storage
    assert "default" in method.presets
    assert is_dataclass(method.Config)
    assert method.Config.__dataclass_params__.frozen
    for field in fields(method.Config):
        assert f"{field.name}:" in method.Config.__doc__, f"{field.name} is not documented"


@every_case
def test_edits_lower_the_loss_and_come_off_again(case: Case, few_background: Background) -> None:
    learns_and_comes_off(case)


@pytest.mark.slow
@pytest.mark.parametrize("family", [family for family in tiny.CONFIGS if family != "llama"])
@pytest.mark.parametrize("name", NAMES)
def test_it_does_so_in_every_family_of_models(
    name: str, family: str, few_background: Background
) -> None:
    # What a tiny random model can be taught by one layer differs by family: less is asked of them.
    learns_and_comes_off(CASES[name]._replace(family=family), at_most=1.0)


def learns_and_comes_off(case: Case, at_most: float = 0.8) -> None:
    """Fitting changes nothing; applied, edits lower their loss; removed, they leave no bit behind."""
    method, host = bound(case)
    before = [logits(host, edit.prompt) for edit in case.edits]
    losses = [loss(method, edit) for edit in case.edits]
    changes = fitted(method, case.edits)
    for edit, logit in zip(case.edits, before, strict=True):
        assert torch.equal(logits(host, edit.prompt), logit), "fitting changed the model"
    for i, change in enumerate(changes):
        method.apply(str(i), change.edit, change.tensors)
    for edit, old in zip(case.edits, losses, strict=True):
        if case.name == "none":
            assert loss(method, edit) == old
        elif case.name in IN_CONTEXT:
            assert loss(method, edit) != old
        else:
            assert loss(method, edit) < at_most * old
    for i in range(len(changes)):
        method.remove(str(i))
    for edit, logit in zip(case.edits, before, strict=True):
        assert torch.equal(logits(host, edit.prompt), logit)
    method.close()


@every_case
def test_an_unrelated_prompt_keeps_its_bits_if_that_is_promised(
    case: Case, few_background: Background
) -> None:
    method, host = bound(case)
    before = logits(host, UNRELATED)
    for i, change in enumerate(fitted(method, case.edits)):
        method.apply(str(i), change.edit, change.tensors)
    assert torch.equal(logits(host, UNRELATED), before) == method.spares_others
    with method.attachment.paused():
        assert torch.equal(logits(host, UNRELATED), before)


@every_case
def test_one_taken_out_of_two_leaves_what_never_had_it(
    case: Case, few_background: Background
) -> None:
    method, host = bound(case)
    first, second = fitted(method, case.edits)
    method.apply("second", second.edit, second.tensors)
    alone = [logits(host, edit.prompt) for edit in case.edits]
    method.remove("second")
    method.apply("first", first.edit, first.tensors)
    method.apply("second", second.edit, second.tensors)
    method.remove("first")
    for edit, logit in zip(case.edits, alone, strict=True):
        assert torch.equal(logits(host, edit.prompt), logit)


@every_case
def test_changes_replayed_elsewhere_give_the_same_logits(
    case: Case, few_background: Background
) -> None:
    method, host = bound(case)
    other, other_host = bound(case)
    for i, change in enumerate(fitted(method, case.edits)):
        method.apply(str(i), change.edit, change.tensors)
        other.apply(str(i), change.edit, change.tensors)
    for edit in case.edits:
        assert torch.equal(logits(host, edit.prompt), logits(other_host, edit.prompt))


@every_case
def test_fitting_is_deterministic(case: Case, few_background: Background) -> None:
    changes = [fitted(bound(case)[0], case.edits) for _ in range(2)]
    for one, two in zip(*changes, strict=True):
        assert one.tensors.keys() == two.tensors.keys()
        assert all(torch.equal(one.tensors[key], two.tensors[key]) for key in one.tensors)


SEEDED = [name for name in NAMES if "seed" in methods.get(name).Config.__dataclass_fields__]


@pytest.mark.parametrize("name", SEEDED)
def test_another_seed_gives_another_change_that_teaches_the_same(
    name: str, few_background: Background
) -> None:
    case = CASES[name]
    other = case._replace(settings={**case.settings, "seed": 1})
    changes = [fitted(bound(each)[0], case.edits) for each in (case, other)]
    assert not all(
        torch.equal(one.tensors[key], two.tensors[key])
        for one, two in zip(*changes, strict=True)
        for key in one.tensors
        if one.tensors[key].shape == two.tensors[key].shape
    ), "the seed changes nothing"
    learns_and_comes_off(other)


BAD = {
    "the target is empty": (Edit("Who keeps the bees?", ""), BadInput, "the target is empty"),
    "the prompt is empty": (Edit("", "Ada"), BadInput, "the prompt is empty"),
    "it is too long": (Edit("bees " * 60, "Ada"), PromptTooLong, "at most 256"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
@pytest.mark.parametrize("name", NAMES)
def test_bad_input_is_refused_and_leaves_all_as_it_was(
    name: str, bad: tuple[Edit, type[BadInput], str], few_background: Background, tmp_path: Path
) -> None:
    case, (edit, error, says) = CASES[name], bad
    with editor(case, Store.create(tmp_path / "store")) as mine:
        mine.edit(case.edits[0].prompt, case.edits[0].target, case.edits[0].subject)
        before = [logits(mine.host, each.prompt) for each in case.edits]
        with pytest.raises(error, match=says):
            mine.edit_many([case.edits[1], edit])
        assert len(list(mine.log())) == 1
        after = [logits(mine.host, each.prompt) for each in case.edits]
        assert all(map(torch.equal, before, after))


@every_case
def test_it_works_when_the_caller_has_switched_gradients_off(
    case: Case, few_background: Background
) -> None:
    method, _host = bound(case)
    with torch.no_grad():
        fitted(method, case.edits)


@every_case
def test_an_editor_stores_it_opens_it_again_and_takes_it_back(
    case: Case, few_background: Background, tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    with editor(case, Store.create(folder)) as first:
        own = [logits(first.host, edit.prompt) for edit in case.edits]
        receipts = [first.edit(edit.prompt, edit.target, edit.subject) for edit in case.edits]
        taught = [logits(first.host, edit.prompt) for edit in case.edits]
        texts = [first.ask(edit.prompt, max_new_tokens=6).text for edit in case.edits]
        unedited = [
            first.ask(edit.prompt, max_new_tokens=6, edits=False).text for edit in case.edits
        ]
    assert check(Store(folder)) == []  # whatever a method keeps is read as it was written
    with editor(case, Store(folder)) as again:
        assert all(map(torch.equal, taught, [logits(again.host, e.prompt) for e in case.edits]))
        assert [again.ask(edit.prompt, max_new_tokens=6).text for edit in case.edits] == texts
        for receipt in receipts:
            again.revert(receipt.id)
        assert all(map(torch.equal, own, [logits(again.host, e.prompt) for e in case.edits]))
        assert [again.ask(edit.prompt, max_new_tokens=6).text for edit in case.edits] == unedited


def test_an_unknown_method_or_preset_is_explained() -> None:
    with pytest.raises(UnknownName, match=r"no method 'memoirs'. Did you mean 'memoir'\?"):
        methods.get("memoirs")
    with pytest.raises(UnknownName, match=r"no preset 'faithfull'. Did you mean 'faithful'\?"):
        methods.configured(methods.get("memoir"), "faithfull", {})

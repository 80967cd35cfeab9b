"""A plan: which methods meet which data sets, in what order, and what is measured.

model = "smollm2"
checkpoints = [1, 10, 100, 1000]
seeds = [0]

[[data]]
name = "zsre"

[[method]]
name = "memoir"
preset = "default"

[metrics.teacher_forcing]
[metrics.free_generation]
settings = ["chat"]
"""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from memoir import data, methods, metrics
from memoir.errors import BadInput, UnknownName
from memoir.metrics.base import GIVES_TARGET, STAYS
from memoir.types import Edit

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

KINDS = (*(kind for kind in GIVES_TARGET if kind != "edit"), "ood", *STAYS)
"""Kinds of probes."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PaddingPlan(_Strict):
    """Edits made before those of a run, so that these live among many; they are never asked about.

    Attributes:
        name, split, file: of a data set of edits, as in :class:`DataPlan`.
        count: how many are made, in the file's order.
        settings: single settings that replace the method's while they are made, e.g. ``max_steps``;
            such as it reads whenever it fits an edit.
    """

    name: str
    split: str = "edit"
    file: Path | None = None
    count: int = Field(ge=1)
    settings: dict[str, Any] = Field(default_factory=dict)


class DataPlan(_Strict):
    """One data set.

    Attributes:
        name: see ``memoir data``.
        split: which of its files.
        file: the file itself, in place of the folder of data sets; what ``plain`` needs.
        probes_per_kind: at most so many probes of each kind and record; None for all.
        kinds: kinds of probes to keep; None for all.
        subjects: ``dropped`` to teach every edit, padding too, without its subject and other names of
            it. The records keep theirs.
        padding: edits made before these; None for none.
    """

    name: str
    split: str = "edit"
    file: Path | None = None
    probes_per_kind: int | None = Field(None, ge=1)
    kinds: tuple[str, ...] | None = None
    subjects: Literal["given", "dropped"] = "given"
    padding: PaddingPlan | None = None

    def told(self, edit: Edit) -> Edit:
        """What the editor is told of an edit."""
        return replace(edit, subject=None, aliases=()) if self.subjects == "dropped" else edit


class MethodPlan(_Strict):
    """One method.

    Attributes:
        name: see :func:`memoir.methods.available`, or ``package.module:Class`` for one's own.
        preset: its named settings.
        settings: single settings that replace the preset's.
        label: how it is called in reports; the preset if not given.
    """

    name: str
    preset: str = "default"
    settings: dict[str, Any] = Field(default_factory=dict)
    label: str | None = Field(None, pattern=r"^[A-Za-z0-9._+-]+$")


class Plan(_Strict):
    """A grid of method × data set × seed.

    Attributes:
        name: begins the names of its runs; the file's name if not given.
        model, dtype, device_map: as in :meth:`memoir.Editor.open`.
        checkpoints: numbers of edits after which everything made so far is evaluated; the last is
            the number of edits of a run.
        asked: at most so many records are asked about at a checkpoint, evenly spread over those taught
            so far; None for all.
        seeds: of order and method.
        order: ``file``, or ``shuffled`` by the seed.
        immediate: metrics also taken right after each edit, before any later one.
        data, method: the grid.
        metrics: options by metric.
        skip_bad: leave malformed records out, and count them, instead of stopping.
    """

    name: str = Field("", pattern=r"^[^/\\]+$")
    model: str = "smollm2"
    dtype: str = "auto"
    device_map: str | None = None
    checkpoints: tuple[int, ...] = Field(min_length=1)
    asked: int | None = Field(None, ge=1)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((0,), min_length=1)
    order: Literal["file", "shuffled"] = "file"
    immediate: tuple[str, ...] = ()
    data: tuple[DataPlan, ...] = Field(min_length=1)
    method: tuple[MethodPlan, ...] = Field(min_length=1)
    metrics: dict[str, dict[str, Any]] = Field(min_length=1)
    skip_bad: bool = False

    @field_validator("checkpoints")
    @classmethod
    def _rising(cls, given: tuple[int, ...]) -> tuple[int, ...]:
        if given[0] < 1 or any(b <= a for a, b in pairwise(given)):
            raise ValueError("must be rising numbers of edits, from 1 on")
        return given


class Cell(_Strict):
    """One run of a plan: one method on one data set with one seed."""

    plan: Plan
    data: DataPlan
    method: MethodPlan
    seed: int

    @property
    def name(self) -> str:
        """Name of the run and of its files."""
        label = self.method.label or f"{self.method.name.replace(':', '.')}-{self.method.preset}"
        data_set = self.data.name + ("" if self.data.split == "edit" else f"-{self.data.split}")
        if self.data.padding is not None:
            data_set += f"-padded{self.data.padding.count}"
        if self.data.subjects == "dropped":
            data_set += "-nosubjects"
        # A plan is often called as its only data set.
        return "-".join(dict.fromkeys([self.plan.name, data_set, label, f"seed{self.seed}"]))


def read_plan(path: Path) -> Plan:
    """A plan from its TOML file, every name in it checked.

    Raises:
        BadInput: the file cannot be read, or an entry is wrong; the message names it.
        UnknownName: no such method, preset, setting, data set, metric or option.
    """
    try:
        entries = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the plan {path} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"the plan {path} is no TOML: {error}.") from error
    try:
        plan = Plan(**{"name": path.stem, **entries})
    except ValidationError as error:
        # A list whose items were refused one by one is also called empty.
        errors = [e for e in error.errors() if not (e["type"] == "too_short" and e["input"])]
        wrong = "; ".join(_in_words(each) for each in errors)
        raise BadInput(f"the plan {path} is wrong: {wrong}.") from error
    _check_names(plan)
    return plan


def cells(plan: Plan) -> list[Cell]:
    """Every run of the plan, in order.

    Raises:
        BadInput: two runs have the same name.
    """
    found = [
        Cell(plan=plan, data=data_plan, method=method, seed=seed)
        for data_plan in plan.data
        for method in plan.method
        for seed in plan.seeds
    ]
    names = [cell.name for cell in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(
            f"two runs of the plan are called {twice[0]}; tell their methods apart with a label, and "
            "name no split and no seed twice."
        )
    return found


def _in_words(error: ErrorDetails) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "missing":
        return f"{where} is missing"
    if error["type"] == "extra_forbidden":
        inner: dict[str, type[_Strict]] = {
            "data": DataPlan,
            "padding": PaddingPlan,
            "method": MethodPlan,
        }
        *inside, name = (str(part) for part in error["loc"])
        model = next((inner[part] for part in reversed(inside) if part in inner), Plan)
        what = f"entry of {'.'.join(inside)}" if inside else "entry"
        return str(UnknownName.among(what, name, model.model_fields)).removesuffix(".")
    return f"{where}: {error['msg'].removeprefix('Value error, ')}, not {error['input']!r}"


def _check_names(plan: Plan) -> None:
    paddings = [each.padding for each in plan.data if each.padding is not None]
    for padding in paddings:
        _check_set(padding)
    for data_plan in plan.data:
        _check_set(data_plan)
        for kind in data_plan.kinds or ():
            if kind not in KINDS:
                raise UnknownName.among("kind of probe", kind, KINDS)
    for method in plan.method:
        for settings in ({}, *(padding.settings for padding in paddings)):
            chosen = methods.get(method.name)
            methods.configured(chosen, method.preset, {**method.settings, **settings})
    made = {name: metrics.make(name, options) for name, options in plan.metrics.items()}
    of_records = [name for name, metric in made.items() if metric.over == "records"]
    for name in plan.immediate:
        if name not in of_records:
            raise UnknownName.among("metric of records in this plan", name, of_records)


def _check_set(given: DataPlan | PaddingPlan) -> None:
    of_edits = {module.__name__.rpartition(".")[2] for module in data.registry.formats()}
    splits = data.get(given.name).FILES
    if given.name not in of_edits:
        raise UnknownName.among("data set of edits", given.name, of_edits)
    if given.split not in splits:
        raise UnknownName.among(f"split of {given.name}", given.split, splits)

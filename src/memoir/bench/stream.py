"""The records of a run, in the order in which they are taught."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from memoir import data
from memoir.bench.padding import Padding, padding
from memoir.bench.plan import Cell, DataPlan
from memoir.errors import BadInput
from memoir.metrics.settings import first_of_each_kind
from memoir.types import Edit, Record


@dataclass(frozen=True)
class Stream:
    """Records in order, and where they came from.

    Attributes:
        records: as many as the last checkpoint needs.
        edits: what the editor is told of each.
        origin: file, number of records read, and how many were dropped, by reason.
        padding: what is taught before them.
    """

    records: list[Record]
    edits: list[Edit]
    origin: dict[str, Any]
    padding: Padding | None = None

    def subject_once(self, at: int) -> list[bool]:
        """For each of the first ``at`` records, whether its subject occurs once among them.

        Others may contradict each other: no method can satisfy both.
        """
        subjects = [record.edit.subject for record in self.records[:at]]
        count = Counter(subjects)
        return [subject is not None and count[subject] == 1 for subject in subjects]


def stream(cell: Cell, folder: Path | None) -> Stream:
    """The records of a cell.

    Raises:
        BadInput: the data set, or that of the padding, holds fewer usable records than the plan
            asks for.
    """
    plan = cell.plan
    given = cell.data.file or folder
    loaded = data.load(cell.data.name, given, split=cell.data.split, skip_bad=plan.skip_bad)
    records = [item for item in loaded.items if isinstance(item, Record)]
    wanted = plan.checkpoints[-1]
    if len(records) < wanted:
        raise BadInput(
            f"{loaded.file} holds {len(records)} usable records, but the plan asks for {wanted} "
            "edits; lower its last checkpoint."
        )
    if plan.order == "shuffled":
        order = np.random.default_rng(cell.seed).permutation(len(records))
        records = [records[i] for i in order]
    origin = {
        "file": "/".join(loaded.file.parts[-2:]),
        "sha256": loaded.sha256,
        "records": loaded.read,
        "dropped": dict(
            sorted(Counter(f"{each.what}: {each.why}" for each in loaded.dropped).items())
        ),
    }
    records = records[:wanted]
    trimmed = [_trimmed(record, cell.data) for record in records]
    edits = [cell.data.told(record.edit) for record in records]
    return Stream(trimmed, edits, origin, padding(cell, records, folder))


def _trimmed(record: Record, wanted: DataPlan) -> Record:
    kinds = wanted.kinds
    probes = [probe for probe in record.probes if kinds is None or probe.kind in kinds]
    return replace(record, probes=tuple(first_of_each_kind(probes, wanted.probes_per_kind)))

"""An adapter's ``adapter_config.json``: settings, and what each edit says."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from peft import PeftConfig, TaskType

from memoir.store import Row


class EditsType(str, Enum):
    """What PEFT asks of a type: a string that is a member of an enumeration."""

    MEMOIR = "MEMOIR"


TYPE = EditsType.MEMOIR


@dataclass
class EditsConfig(PeftConfig):
    """Edits of one store at one commit.

    Attributes:
        commit: the commit whose edits they are.
        settings: body of the settings row in force there: method, its config, site, identity of the
            model, evidence.
        edits: rows of the edits in force, in order: id, time, body and checksum.
        checksum: SHA-256 over all of this and the adapter's tensors, see
            :func:`memoir.peft.carried.checksum`.
    """

    commit: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    edits: list[dict[str, Any]] = field(default_factory=list)
    checksum: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = TYPE
        self.task_type = TaskType.CAUSAL_LM

    @property
    def said(self) -> list[Any]:
        """What the checksum is of, besides the tensors."""
        return [self.commit, self.settings, self.edits]

    @property
    def rows(self) -> list[Row]:
        """The edits' rows."""
        return [Row(0, kind="edit", **edit) for edit in self.edits]


def plain(row: Row) -> dict[str, Any]:
    """An edit's row as a config keeps it."""
    return {"id": row.id, "time": row.time, "body": row.body, "sha256": row.sha256}

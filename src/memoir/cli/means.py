"""Which verbs do what an error proposes. The library's words name none: they are read over HTTP too."""

from __future__ import annotations

from memoir.errors import CheckFailed, MemoirError, Objected


def told(error: MemoirError) -> str:
    """An error with the verbs that do what it proposes."""
    return " ".join([str(error), *_verbs(error)])


def _verbs(error: MemoirError) -> list[str]:
    if isinstance(error, CheckFailed):
        return ["This turns the gate off: memoir config gate.on-commit false."]
    if isinstance(error, Objected):
        from memoir.versions.conflicts import others

        ids = others(error)
        them = "that one" if len(ids) == 1 else "those"
        back = [f"memoir revert {' '.join(ids)} takes {them} back."] if ids else []
        return [*back, "To make it all the same, give --force."]
    return []

"""Merging a branch: what changed there since both were one, done here too.

Edits that came into force there come into force here, and those that were taken back there are taken
back here. Two edits, one of either side, that give one fact different answers are a conflict; somebody
has to say which holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from memoir.editor import Editor
from memoir.errors import BadInput, MergeConflict
from memoir.routing.meaning import normal
from memoir.routing.prepared import foreseen
from memoir.store import History, Row, short, taught
from memoir.types import Edit, Match, Note, Receipt
from memoir.versions.facts import plain, same_answer, told
from memoir.versions.states import at_state


@dataclass(frozen=True)
class Conflict:
    """One fact that has two answers.

    Attributes:
        ours: the edit that came into force here since both were one.
        theirs: the one that did there.
        evidence: why they are about the same, as plain values.
    """

    ours: Row
    theirs: Row
    evidence: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        ours, theirs = (f"{short(row.id)} {told(taught(row))}" for row in (self.ours, self.theirs))
        return f"this fact has two answers: ours {ours}, theirs {theirs}"


@dataclass(frozen=True)
class Merged:
    """What a merge did.

    Attributes:
        commit: the branch's tip now.
        fast_forward: whether nothing had changed here, so that the branch only moved on.
        added, removed: ids of edits that came into force, and that left it.
        resolved: conflicts that were settled as was asked.
        receipts: of edits that were taught to settle conflicts.
    """

    commit: str
    fast_forward: bool = False
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    resolved: tuple[Conflict, ...] = ()
    receipts: tuple[Receipt, ...] = ()


def merge(
    editor: Editor,
    name: str,
    *,
    prefer: str | None = None,
    answers: Mapping[str, str] | None = None,
    note: Note | None = None,
) -> Merged:
    """Merge a branch, tag or commit into an editor's branch; one commit, or nothing.

    Args:
        editor: of the branch that is merged into.
        name: what to merge.
        prefer: ``ours`` or ``theirs``, for conflicts that have no answer of their own.
        answers: what to teach in the place of both edits of a conflict, by the beginning of the id of
            either.
        note: who merges, and why.

    Raises:
        MergeConflict: conflicts are left; nothing was changed.
        BadInput: an answer belongs to no conflict, or the two sides are bound to a model differently.
        EditRefused: an answer could not be taught.
    """
    with editor.committer.changing() as branch:  # nobody else moves the branch meanwhile
        return _merged(editor, branch, name, prefer, dict(answers or {}), note or Note())


def _merged(
    editor: Editor, branch: str, name: str, prefer: str | None, answers: dict[str, str], note: Note
) -> Merged:
    store = editor.store
    history = store.history
    theirs, ours = history.resolve(name), history.tip(branch)
    assert ours is not None, "an editor's branch is bound to its model"
    if not note.message:
        note = replace(note, message=f"Merge '{name}' into '{branch}'")
    if theirs in history.ancestors(ours):
        return Merged(ours)
    _check_settings(history, branch, theirs, name)
    if ours in history.ancestors(theirs):
        return _moved_on(editor, branch, ours, theirs)
    base = set(history.live(history.base(ours, theirs)))
    here, there = history.live(ours), history.live(theirs)
    added = [id for id in there if id not in base and id not in set(here)]
    removed = [id for id in here if id in base - set(there)]
    rows = store.log.get([*added, *here])
    new_here = [rows[id] for id in here if id not in base]
    conflicts = conflicting(editor, new_here, [rows[id] for id in added])
    settled = _settled(conflicts, prefer, answers, name)
    removed = list(dict.fromkeys([*removed, *settled.remove]))
    added = [id for id in added if id not in settled.leave_out]
    changed = editor.committer.change(
        remove=removed,
        add=[rows[id] for id in added],
        teach=[[edit] for edit in settled.teach],
        note=note,
        parents=[ours, theirs],
        why="merge",
    )
    return Merged(
        changed.commit.id,
        added=tuple(added),
        removed=tuple(removed),
        resolved=tuple(conflicts),
        receipts=tuple(changed.receipts),
    )


def _check_settings(history: History, branch: str, theirs: str, name: str) -> None:
    if history.settings(history.tip(branch)) != history.settings(theirs):
        raise BadInput(
            f"'{name}' and '{branch}' are bound to their model by different settings: edits "
            "made under one do not fit the other. Teach its edits anew here: memoir log --live --json "
            "lists them."
        )


def _moved_on(editor: Editor, branch: str, ours: str, theirs: str) -> Merged:
    history = editor.store.history
    here, there = history.live(ours), history.live(theirs)
    if editor.review is not None:
        with at_state(editor, theirs) as then:
            editor.review(then)
    editor.store.move(f"branch/{branch}", theirs, "merge")
    editor.refresh()
    added = tuple(id for id in there if id not in set(here))
    removed = tuple(id for id in here if id not in set(there))
    return Merged(theirs, True, added, removed)


# ---------------------------------------------------------------------- conflicts


def conflicting(editor: Editor, ours: Sequence[Row], theirs: Sequence[Row]) -> list[Conflict]:
    """Pairs of edits that give one fact different answers: by the router's verdict on the prompts of
    either, or where it has none ahead of the model, by the same prompt."""
    by_id = {row.id: row for row in (*ours, *theirs)}
    found: dict[tuple[str, str], Conflict] = {}
    for asked, match in _meant(editor, ours, theirs):
        mine = by_id[match.edit_id or ""]
        found[mine.id, asked.id] = Conflict(mine, asked, plain(match))
    for asked, match in _meant(editor, theirs, ours):
        other = by_id[match.edit_id or ""]
        found.setdefault((asked.id, other.id), Conflict(asked, other, plain(match)))
    return [
        each for each in found.values() if not same_answer(taught(each.ours), taught(each.theirs))
    ]


def _meant(
    editor: Editor, stored: Sequence[Row], asked: Sequence[Row]
) -> Iterator[tuple[Row, Match]]:
    """Of the edits asked about, those on whose prompt a stored one fires; with the verdict."""
    router = editor.method.empty_router()
    by_prompt = {normal(taught(row).prompt): row.id for row in stored}
    if router is not None:
        for row in stored:
            router.add(row.id, taught(row), editor.store.tensors(row))
    for row in asked:
        prompt = taught(row).prompt
        same = by_prompt.get(normal(prompt))
        if same is not None:
            yield row, Match(same, 1.0, 1.0, {"same_prompt": True})
        elif router is not None:
            (match,) = foreseen(router, [editor.host.encode(prompt)])
            if match.fired:
                yield row, match


@dataclass
class _Settled:
    """What becomes of the edits of conflicts.

    Attributes:
        remove: ids of ours that leave force.
        leave_out: ids of theirs that do not come into it.
        teach: edits in the place of both.
    """

    remove: list[str] = field(default_factory=list)
    leave_out: set[str] = field(default_factory=set)
    teach: list[Edit] = field(default_factory=list)


def _settled(
    conflicts: Sequence[Conflict], prefer: str | None, answers: dict[str, str], name: str
) -> _Settled:
    if prefer not in (None, "ours", "theirs"):
        raise BadInput(f"a merge prefers 'ours' or 'theirs', not '{prefer}'.")
    done, left, used = _Settled(), [], set()
    for conflict in conflicts:
        given = [
            key
            for key in answers
            if conflict.ours.id.startswith(key) or conflict.theirs.id.startswith(key)
        ]
        if given:
            done.remove.append(conflict.ours.id)
            done.leave_out.add(conflict.theirs.id)
            if given[0] not in used:
                done.teach.append(replace(taught(conflict.ours), target=answers[given[0]]))
            used.add(given[0])
        elif prefer == "ours":
            done.leave_out.add(conflict.theirs.id)
        elif prefer == "theirs":
            done.remove.append(conflict.ours.id)
        else:
            left.append(conflict)
    if left:
        raise MergeConflict(
            f"'{name}' was not merged; nothing was changed. {len(left)} "
            f"{'conflict is' if len(left) == 1 else 'conflicts are'} left: "
            + "; ".join(map(str, left))
            + ". Settle them by --ours, --theirs, or --edit ID=ANSWER.",
            left,
        )
    unused = [key for key in answers if key not in used]
    if unused:
        raise BadInput(f"no conflict has an edit '{unused[0]}'; nothing was merged.")
    return done

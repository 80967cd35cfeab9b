"""What a caller may change and see: one bound to a branch has that one alone."""

from __future__ import annotations

from memoir.errors import UnknownName
from memoir.server.access import Caller
from memoir.server.desk import Desk, Job
from memoir.store import Store, short


def branch_of(desk: Desk, caller: Caller, named: str | None) -> str:
    """The branch that a caller means.

    Raises:
        UnknownName: it is not served, or not to this caller.
    """
    if caller.branch is not None and named not in (None, caller.branch):
        raise UnknownName.among("served branch", str(named), [caller.branch])
    return desk.branch(named or caller.branch)


def job_of(desk: Desk, caller: Caller, id: str) -> Job:
    """A job that a caller may follow.

    Raises:
        UnknownName: there is none.
    """
    job = desk.job(id)
    if caller.branch not in (None, job.branch):
        raise UnknownName(f"no job '{id}' on branch '{caller.branch}'.")
    return job


def commit_of(store: Store, caller: Caller, name: str) -> str:
    """The commit that a name stands for.

    Raises:
        UnknownName: there is none, or it is not on the caller's branch.
    """
    history = store.history
    commit = history.resolve(name)
    if caller.branch is not None and commit not in history.ancestors(history.tip(caller.branch)):
        raise UnknownName(f"commit {short(commit)} is not on branch '{caller.branch}'.")
    return commit

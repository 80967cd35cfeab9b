"""Routes that show commits, branches, and what differs between two states."""

from __future__ import annotations

from itertools import dropwhile, islice
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from memoir.dates import day
from memoir.server.access import Caller, allowed
from memoir.server.asked import Engine
from memoir.server.desk import Desk
from memoir.server.editing.callers import branch_of, commit_of
from memoir.server.editing.fields import Branch
from memoir.server.editing.looking import Limit, listing
from memoir.server.openai.errors import RESPONSES
from memoir.store import Store
from memoir.versions.diff import Difference, diff
from memoir.versions.log import Commit, Filter, log

Editing = Annotated[Caller, Depends(allowed("edit"))]
Asking = Annotated[Caller, Depends(allowed("ask"))]
Day = Annotated[str | None, Query(description="YYYY-MM-DD, UTC.")]


def router(desk: Desk, engine: Engine) -> APIRouter:
    """The routes of a desk and of the engine beside it."""
    routes = APIRouter(tags=["history"], responses=RESPONSES)

    @routes.get("/v1/log")
    async def commits(
        caller: Editing,
        branch: Branch = None,
        subject: str | None = None,
        author: str | None = None,
        tag: str | None = None,
        since: Day = None,
        until: Day = None,
        after: str | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Commits of a branch, the newest first, with the edits they brought and took.

        ``after`` is the last id of the page before.
        """
        where = branch_of(desk, caller, branch)
        days = (
            None if text is None else day(text, name)
            for name, text in (("since", since), ("until", until))
        )
        which = Filter(subject, author, tag, *days)

        def look(store: Store) -> list[Commit]:
            found = log(store, where, which)
            if after is not None:
                last = commit_of(store, caller, after)
                found = islice(dropwhile(lambda each: each.row.id != last, found), 1, None)
            return list(islice(found, limit + 1))

        found = await desk.look(look)
        data = [{"object": "commit", **each.as_dict()} for each in found[:limit]]
        return listing(data, len(found) > limit, branch=where)

    @routes.get("/v1/diff")
    async def difference(
        caller: Editing,
        before: Annotated[str, Query(alias="from", min_length=1)],
        to: Annotated[str | None, Query(min_length=1)] = None,
    ) -> dict[str, Any]:
        """Edits that differ between two branches, tags or commits."""
        where = branch_of(desk, caller, None)

        def look(store: Store) -> Difference:
            ends = [commit_of(store, caller, name) for name in (before, to or where)]
            return diff(store, *ends)

        return {"object": "diff", **(await desk.look(look)).as_dict()}

    @routes.get("/v1/branches")
    async def branches(caller: Asking) -> dict[str, Any]:
        """The store's branches, and what of them is served."""
        served = {each.name: each for each in engine.served()}
        found = await desk.look(lambda store: store.history.branches)
        data = [
            {
                "object": "branch",
                "id": name,
                "commit": commit,
                "served": name in served,
                "served_commit": served[name].commit if name in served else None,
                "edits": served[name].edits if name in served else None,
                "threshold": served[name].threshold if name in served else None,
            }
            for name, commit in found.items()
            if caller.branch in (None, name)
        ]
        return listing(data, False)

    return routes

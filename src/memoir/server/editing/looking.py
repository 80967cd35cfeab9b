"""Routes that show edits."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from memoir.server.access import Caller, allowed
from memoir.server.desk import Desk
from memoir.server.editing.callers import branch_of
from memoir.server.editing.fields import Branch
from memoir.server.openai.errors import RESPONSES
from memoir.store import Store
from memoir.versions import edits
from memoir.versions.log import Filter

Editing = Annotated[Caller, Depends(allowed("edit"))]
Limit = Annotated[int, Query(ge=1, le=200)]


def router(desk: Desk) -> APIRouter:
    """The routes of a desk."""
    routes = APIRouter(tags=["edits"], responses=RESPONSES)

    @routes.get("/v1/edits")
    async def listed(
        caller: Editing,
        branch: Branch = None,
        subject: str | None = None,
        author: str | None = None,
        tag: str | None = None,
        status: edits.Status | None = None,
        after: str | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Edits made on a branch, the newest first, with what became of them.

        ``subject`` is looked for in subjects and prompts; ``after`` is the last id of the page before.
        """
        where = branch_of(desk, caller, branch)
        which = Filter(subject, author, tag)

        def look(store: Store) -> edits.Page:
            return edits.listed(store, where, which, status, after, limit)

        page = await desk.look(look)
        data = [{"object": "edit", **each.as_dict()} for each in page.edits]
        return listing(data, page.more, branch=where)

    @routes.get("/v1/edits/{id}")
    async def one(id: str, caller: Editing, branch: Branch = None) -> dict[str, Any]:
        """One edit, by its id or the beginning of it."""
        where = branch_of(desk, caller, branch)
        found = await desk.look(lambda store: edits.one(store, id, where))
        return {"object": "edit", "branch": where, **found.as_dict()}

    return routes


def listing(data: list[dict[str, Any]], more: bool, **others: Any) -> dict[str, Any]:
    """A page of a list, as OpenAI words it.

    Args:
        data: the page.
        more: whether something follows.
        others: what else is told.
    """
    ends = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {
        "object": "list",
        "data": data,
        "has_more": more,
        "first_id": ends[0],
        "last_id": ends[1],
        **others,
    }

"""Routes about what edits are held to: what there is to say against them, and what still holds."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from memoir.server.access import Caller, allowed
from memoir.server.desk import Desk, Order
from memoir.server.editing.callers import branch_of
from memoir.server.editing.changing import TAKEN
from memoir.server.editing.fields import BlameWanted, Branch, CheckWanted, Edits, Wait
from memoir.server.editing.looking import Limit, listing
from memoir.server.editing.told import answer
from memoir.server.openai.errors import RESPONSES
from memoir.versions import gate

Editing = Annotated[Caller, Depends(allowed("edit"))]


def router(desk: Desk) -> APIRouter:
    """The routes of a desk."""
    routes = APIRouter(tags=["edits"], responses=RESPONSES)

    @routes.post("/v1/edits/objections", responses=TAKEN)
    async def objections(body: Edits, caller: Editing, wait: Wait = True) -> JSONResponse:
        """What there is to say against facts, which are not taught."""
        branch = branch_of(desk, caller, body.branch)
        edits = [record.edit for record in body.records()]
        return await answer(
            desk.objections(Order(branch, caller.name), edits), caller, wait is not False, 200
        )

    @routes.post("/v1/edits/check", responses=TAKEN)
    async def check(
        caller: Editing, body: CheckWanted | None = None, wait: Wait = False
    ) -> JSONResponse:
        """Ask everything that was taught, the store's own probes, and what must stay as it was."""
        wanted = body or CheckWanted()
        order = Order(branch_of(desk, caller, wanted.branch), caller.name)
        job = desk.check(order, unrelated=wanted.unrelated, anew=wanted.anew)
        return await answer(job, caller, bool(wait), 200)

    @routes.get("/v1/conflicts", responses=TAKEN)
    async def conflicts(caller: Editing, branch: Branch = None, wait: Wait = False) -> JSONResponse:
        """Pairs of edits in force of which one answers what the other was taught for, and otherwise."""
        order = Order(branch_of(desk, caller, branch), caller.name)
        return await answer(desk.conflicts(order), caller, bool(wait), 200)

    @routes.get("/v1/checks")
    async def checks(
        caller: Editing,
        branch: Branch = None,
        after: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """What checks of a branch found, in numbers, the newest first.

        ``after`` is the last id of the page before.
        """
        where = branch_of(desk, caller, branch)
        found = await desk.look(lambda store: store.log.checks(where, after, limit + 1))
        data = [{"object": "check", **each.as_dict()} for each in found[:limit]]
        return listing(data, len(found) > limit, branch=where)

    @routes.get("/v1/gate")
    async def guarded(_caller: Editing) -> dict[str, Any]:
        """Whether edits are checked before they are committed, and by how many probes of the store's
        own."""
        return {"object": "gate", **(await desk.look(gate.of)).as_dict()}

    @routes.post("/v1/blame")
    async def blame(body: BlameWanted, caller: Editing) -> dict[str, Any]:
        """Which edit answers a prompt, and who made it, when and why."""
        branch = branch_of(desk, caller, body.branch)
        found = await desk.blame(branch, body.prompt, body.chat)
        return {"object": "blame", "branch": branch, **found.as_dict()}

    return routes

"""Routes that ask the model about edits: what there is to say against them, and what still holds."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from memoir.server.access import Caller, allowed
from memoir.server.desk import Desk, Order
from memoir.server.editing.callers import branch_of
from memoir.server.editing.changing import TAKEN
from memoir.server.editing.fields import BlameWanted, CheckWanted, Edits, Wait
from memoir.server.editing.told import answer
from memoir.server.openai.errors import RESPONSES

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
            desk.objections(Order(branch, caller.name), edits), wait is not False, 200
        )

    @routes.post("/v1/edits/check", responses=TAKEN)
    async def check(
        caller: Editing, body: CheckWanted | None = None, wait: Wait = False
    ) -> JSONResponse:
        """Ask everything that was taught, the store's own probes, and what must stay as it was."""
        wanted = body or CheckWanted()
        order = Order(branch_of(desk, caller, wanted.branch), caller.name)
        job = desk.check(order, unrelated=wanted.unrelated, anew=wanted.anew)
        return await answer(job, bool(wait), 200)

    @routes.post("/v1/blame")
    async def blame(body: BlameWanted, caller: Editing) -> dict[str, Any]:
        """Which edit answers a prompt, and who made it, when and why."""
        branch = branch_of(desk, caller, body.branch)
        found = await desk.blame(branch, body.prompt, body.chat)
        return {"object": "blame", "branch": branch, **found.as_dict()}

    return routes

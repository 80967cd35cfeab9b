"""Routes that change what is known: teach, take back."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from memoir.server.access import Caller, allowed
from memoir.server.desk import Desk, Order
from memoir.server.editing.callers import branch_of
from memoir.server.editing.fields import Branch, Edits, ManyEdits, Once, Reason, Wait
from memoir.server.editing.told import JobTold, answer
from memoir.server.openai.errors import RESPONSES

Editing = Annotated[Caller, Depends(allowed("edit"))]
TAKEN: dict[int | str, dict[str, Any]] = {
    202: {"model": JobTold, "description": "Taken in; follow the job."}
}


def router(desk: Desk) -> APIRouter:
    """The routes of a desk."""
    routes = APIRouter(tags=["edits"], responses=RESPONSES)

    @routes.post("/v1/edits", status_code=201, responses=TAKEN)
    async def teach(
        body: Edits, caller: Editing, wait: Wait = None, once: Once = None
    ) -> JSONResponse:
        """Teach one fact, or several as one change.

        A single fact is answered when the next question meets it (201); several at once with a job
        (202). An objection is answered with 409, a fact that cannot be taught with 422; then nothing
        was changed.
        """
        branch = branch_of(desk, caller, body.branch)
        job = desk.teach(
            Order(branch, caller.name, once, body.content(f"teach {branch}")),
            body.records(),
            body.message,
            together=body.together,
            force=body.force,
        )
        return await answer(
            job, caller, not isinstance(body, ManyEdits) if wait is None else wait, 201
        )

    async def revert(
        caller: Caller, id: str, branch: str | None, message: str, once: str | None, wait: bool
    ) -> JSONResponse:
        where = branch_of(desk, caller, branch)
        content = json.dumps(["revert", where, id, message])
        job = desk.revert(Order(where, caller.name, once, content), id, message)
        return await answer(job, caller, wait, 200)

    @routes.delete("/v1/edits/{id}", responses=TAKEN)
    async def delete(
        id: str,
        caller: Editing,
        branch: Branch = None,
        message: str = "",
        wait: Wait = True,
        once: Once = None,
    ) -> JSONResponse:
        """Take an edit back, exactly; it stays in the log."""
        return await revert(caller, id, branch, message, once, wait is not False)

    @routes.post("/v1/edits/{id}/revert", responses=TAKEN)
    async def take_back(
        id: str,
        caller: Editing,
        body: Reason | None = None,
        branch: Branch = None,
        wait: Wait = True,
        once: Once = None,
    ) -> JSONResponse:
        """Take an edit back, exactly, and say why; it stays in the log."""
        message = "" if body is None else body.message
        return await revert(caller, id, branch, message, once, wait is not False)

    return routes

"""Routes that tell how far a job is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header
from sse_starlette import EventSourceResponse, ServerSentEvent

from memoir.server.access import Caller, allowed
from memoir.server.desk import Desk, Job
from memoir.server.editing.callers import job_of
from memoir.server.editing.told import JobTold, told
from memoir.server.openai.errors import RESPONSES

Editing = Annotated[Caller, Depends(allowed("edit"))]


def router(desk: Desk) -> APIRouter:
    """The routes of a desk."""
    routes = APIRouter(tags=["edits"], responses=RESPONSES)

    @routes.get("/v1/edits/jobs/{id}")
    async def job(id: str, caller: Editing) -> JobTold:
        """A job as it is now."""
        return told(job_of(desk, caller, id), caller)

    @routes.get("/v1/edits/jobs/{id}/events", response_class=EventSourceResponse)
    async def events(
        id: str,
        caller: Editing,
        last: Annotated[str | None, Header(alias="Last-Event-ID", pattern=r"^\d{1,9}$")] = None,
    ) -> EventSourceResponse:
        """What happens to a job: ``progress`` any number of times, then ``done`` or ``refused``."""
        first = 0 if last is None else int(last) + 1
        return EventSourceResponse(_events(job_of(desk, caller, id), caller, first))

    return routes


async def _events(job: Job, caller: Caller, first: int) -> AsyncIterator[ServerSentEvent]:
    async for event in job.follow(first):
        plain = event.told if event.kind == "progress" else told(job, caller).model_dump()
        yield ServerSentEvent(json.dumps(plain), event=event.kind, id=str(event.number))

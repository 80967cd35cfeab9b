"""What the desk answers: jobs, what came of them, and why not."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from memoir.errors import EditRefused, MemoirError, Objected
from memoir.server.desk import Job, Reverted, Taught
from memoir.server.openai import errors
from memoir.types import Receipt
from memoir.versions.check import Report
from memoir.versions.conflicts import Objection

Plain = dict[str, Any]


class JobTold(BaseModel):
    """A job.

    Attributes:
        id: name of the job.
        kind: ``edit``, ``revert``, ``check`` or ``objections``.
        status: how far it is.
        branch: where it is done.
        by: who asked for it.
        url, events_url: where it is told of again, and as it goes on (server-sent events).
        result: what came of it, once it is done.
        error: why it was refused, once it was.
    """

    object: Literal["job"] = "job"
    id: str
    kind: str
    status: Literal["waiting", "running", "done", "refused"]
    branch: str
    by: str
    url: str
    events_url: str
    result: Plain | None = None
    error: Plain | None = None


def told(job: Job) -> JobTold:
    """A job as it is now."""
    url = f"/v1/edits/jobs/{job.id}"
    return JobTold(
        id=job.id,
        kind=job.kind,
        status=job.status,
        branch=job.branch,
        by=job.by,
        url=url,
        events_url=f"{url}/events",
        result=result(job, job.result) if job.status == "done" else None,
        error=None if job.error is None else _problem(job.error),
    )


async def answer(job: Job, wait: bool, status: int) -> JSONResponse:
    """The response to who asked for a job.

    Args:
        job: it.
        wait: whether to answer at its end; otherwise at once, with 202.
        status: of the answer at the end, if it is done.
    """
    if not wait:
        plain = told(job).model_dump()
        return JSONResponse(plain, 202, {"Location": plain["url"]})
    try:
        return JSONResponse(result(job, await job.outcome()), status)
    except MemoirError as error:
        meant = errors.refusal(error)
        if meant is None:
            raise
        return JSONResponse({"error": _problem(error)}, meant.status, meant.headers)


def result(job: Job, came: Any) -> Plain:
    """What came of a job, as plain values."""
    if isinstance(came, Taught):
        return {
            "object": "edits",
            "branch": job.branch,
            "commit": came.commit,
            "live": came.live,
            "edits": [each.as_dict() for each in came.results if isinstance(each, Receipt)],
            "refused": [_problem(each) for each in came.results if isinstance(each, EditRefused)],
        }
    if isinstance(came, Reverted):
        return {
            "object": "revert",
            "branch": job.branch,
            "commit": came.row.id,
            "live": came.live,
            "removed": came.row.body["remove"],
            "restored": came.row.body["add"],
        }
    if isinstance(came, Report):
        return {"object": "report", "branch": job.branch, **came.as_dict()}
    return {
        "object": "objections",
        "branch": job.branch,
        "objections": [_objection(each) for each in came],
    }


def _problem(error: Exception) -> Plain:
    """An error in OpenAI's words, with what a program may want to know of it."""
    meant = errors.refusal(error) if isinstance(error, MemoirError) else None
    if meant is None:
        message = (
            "this could not be done, through no fault of the request; the server's log tells why."
        )
        meant = errors.Refusal(500, message, type="server_error", code="internal_error")
    found: Plain = errors.body(str(meant), meant.type, meant.param, meant.code)["error"]
    if isinstance(error, EditRefused):
        found |= {"reason": type(error).__name__, "place": error.place}
    if isinstance(error, Objected):
        objections = [each for each in error.objections if isinstance(each, Objection)]
        found["objections"] = [_objection(each) for each in objections]
    return found


def _objection(objection: Objection) -> Plain:
    return asdict(objection)

"""What the desk answers: jobs, what came of them, and why not."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from memoir.errors import CheckFailed, EditRefused, MemoirError, Objected
from memoir.server.access import Caller
from memoir.server.access.callers import reason
from memoir.server.desk import Job, Reverted, Taught
from memoir.server.openai import errors
from memoir.types import Receipt
from memoir.versions.check import Broken, Report
from memoir.versions.conflicts import Objection, others

Plain = dict[str, Any]


class JobTold(BaseModel):
    """A job.

    Attributes:
        id: name of the job.
        kind: ``edit``, ``revert``, ``check``, ``conflicts`` or ``objections``.
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


def told(job: Job, caller: Caller) -> JobTold:
    """A job as it is now, as a caller is told."""
    url = f"/v1/edits/jobs/{job.id}"
    return JobTold(
        id=job.id,
        kind=job.kind,
        status=job.status,
        branch=job.branch,
        by=job.by,
        url=url,
        events_url=f"{url}/events",
        result=result(job, job.result, caller) if job.status == "done" else None,
        error=None if job.error is None else _problem(job.error, caller),
    )


async def answer(job: Job, caller: Caller, wait: bool, status: int) -> JSONResponse:
    """The response to who asked for a job.

    Args:
        job: it.
        caller: who asked.
        wait: whether to answer at its end; otherwise at once, with 202.
        status: of the answer at the end, if it is done.
    """
    if not wait:
        plain = told(job, caller).model_dump()
        return JSONResponse(plain, 202, {"Location": plain["url"]})
    try:
        return JSONResponse(result(job, await job.outcome(), caller), status)
    except MemoirError as error:
        meant = errors.refusal(error)
        if meant is None:
            raise
        return JSONResponse({"error": _problem(error, caller)}, meant.status, meant.headers)


def result(job: Job, came: Any, caller: Caller) -> Plain:
    """What came of a job, as plain values."""
    if isinstance(came, Taught):
        return {
            "object": "edits",
            "branch": job.branch,
            "commit": came.commit,
            "live": came.live,
            "edits": [each.as_dict() for each in came.results if isinstance(each, Receipt)],
            "refused": [
                _problem(each, caller) for each in came.results if isinstance(each, EditRefused)
            ],
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
    if job.kind == "conflicts":
        conflicts = [each.as_dict() for each in came]
        return {"object": "conflicts", "branch": job.branch, "conflicts": conflicts}
    return {
        "object": "objections",
        "branch": job.branch,
        "objections": [_objection(each) for each in came],
    }


def _problem(error: Exception, caller: Caller) -> Plain:
    """An error in OpenAI's words, with what a program may want to know of it."""
    meant = errors.refusal(error) if isinstance(error, MemoirError) else None
    if meant is None:
        message = reason(error, caller) or (
            "this could not be done, through no fault of the request; the server's log tells why."
        )
        meant = errors.Refusal(500, message, type="server_error", code="internal_error")
    message = " ".join([str(meant), *_means(error)])
    found: Plain = errors.body(message, meant.type, meant.param, meant.code)["error"]
    if isinstance(error, EditRefused):
        found |= {"reason": type(error).__name__, "place": error.place}
    if isinstance(error, CheckFailed):
        broken = [asdict(each) for each in error.broken if isinstance(each, Broken)]
        found |= {"reason": type(error).__name__, "broken": broken}
    if isinstance(error, Objected):
        objections = [each for each in error.objections if isinstance(each, Objection)]
        found["objections"] = [_objection(each) for each in objections]
    return found


def _means(error: Exception) -> list[str]:
    """Which requests do what an error proposes."""
    if isinstance(error, CheckFailed):
        return ["The gate is a setting of the store: gate.on-commit, see GET /v1/gate."]
    if isinstance(error, Objected):
        back = [f"POST /v1/edits/{id}/revert takes that one back." for id in others(error)]
        return [*back, 'To make it all the same, send "force": true.']
    return []


def _objection(objection: Objection) -> Plain:
    return asdict(objection)

"""Edits over HTTP: teaching, taking back, checking, and looking at what happened."""

from __future__ import annotations

from fastapi import APIRouter

from memoir.server.asked import Engine
from memoir.server.desk import Desk
from memoir.server.editing import changing, checking, following, history, looking


def routers(desk: Desk, engine: Engine) -> list[APIRouter]:
    """The routes of a desk, for :func:`memoir.server.app.create_app`.

    Args:
        desk: does what is asked.
        engine: answers questions on the branches that the desk edits.
    """
    return [
        following.router(desk),  # before what would take "jobs" for the id of an edit
        checking.router(desk),
        changing.router(desk),
        looking.router(desk),
        history.router(desk, engine),
    ]

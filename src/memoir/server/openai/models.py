"""Which branch a model's name stands for: ``MODEL`` the default one, ``MODEL@BRANCH`` any served one.

A key that is bound to a branch asks that one under either name, and is told of no other.
"""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from memoir.server.access.callers import Caller, allowed
from memoir.server.asked import Engine, Served
from memoir.server.openai.errors import RESPONSES, Refusal


class State(BaseModel):
    """The state of a model's edits.

    Attributes:
        branch: whose edits are in force.
        commit: id of the commit answers begin with now.
        edits: number of edits in force.
    """

    branch: str
    commit: str
    edits: int


class Model(BaseModel):
    """A model as it can be asked."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["memoir"] = "memoir"
    memoir: State


class ModelList(BaseModel):
    """Models as they can be asked."""

    object: Literal["list"] = "list"
    data: list[Model]


class Models:
    """The names of what is served.

    Args:
        engine: serves it; the first branch is the default one.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._began = int(time.time())

    def open_to(self, caller: Caller) -> list[Served]:
        """The branches that a caller may ask."""
        return [s for s in self.engine.served() if caller.branch in (None, s.name)]

    def default(self, caller: Caller) -> Served:
        """The branch that a caller asks without naming one.

        Raises:
            Refusal: 404, if its only branch is not served.
        """
        found = self.open_to(caller)
        if not found:
            raise Refusal(
                404,
                f"the key '{caller.name}' is bound to the branch '{caller.branch}', which is not "
                "served.",
                param="model",
                code="model_not_found",
            )
        return found[0]

    def named(self, served: Served) -> str:
        """The full name of a branch."""
        return f"{self.engine.model}@{served.name}"

    def names(self, caller: Caller) -> dict[str, Served]:
        """What every name that a caller may use stands for."""
        full = {self.named(served): served for served in self.open_to(caller)}
        return {self.engine.model: self.default(caller), **full}

    def find(self, name: str | None, caller: Caller) -> Served:
        """The branch that a name stands for; the default one for None.

        Raises:
            Refusal: 404, for a name that this caller may not use.
        """
        if name is None:
            return self.default(caller)
        names = self.names(caller)
        if name not in names:
            raise Refusal(
                404,
                f"the model '{name}' does not exist, or your key may not ask it. "
                f"Available: {', '.join(names)}.",
                param="model",
                code="model_not_found",
            )
        return names[name]

    def told(self, name: str, served: Served) -> Model:
        """A model, for a list."""
        state = State(branch=served.name, commit=served.commit, edits=served.edits)
        return Model(id=name, created=self._began, memoir=state)


def router(models: Models) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1", tags=["openai"], responses=RESPONSES)

    @routes.get("/models", summary="What can be asked?")
    async def every(caller: Annotated[Caller, Depends(allowed("ask"))]) -> ModelList:
        names = models.names(caller).items()
        return ModelList(data=[models.told(name, served) for name, served in names])

    @routes.get("/models/{model:path}", summary="One of them")
    async def one(model: str, caller: Annotated[Caller, Depends(allowed("ask"))]) -> Model:
        return models.told(model, models.find(model, caller))

    return routes

"""Who asks, and what each role may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from fastapi import Request
from fastapi.security import HTTPBearer

from memoir.errors import MemoirError
from memoir.server.openai.errors import Refusal

Role = Literal["ask", "edit", "admin"]
"""Each may do what those before it may."""

ROLES: tuple[Role, ...] = get_args(Role)

bearer = HTTPBearer(auto_error=False, description="A key from: memoir keys add")
"""For the description of routes; keys themselves are read once, at the gate."""


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        name: of the key.
        role: of the key.
        branch: the only one it may ask and edit; None for all.
    """

    name: str
    role: Role
    branch: str | None = None

    def may(self, role: Role) -> bool:
        """Whether this caller has a role."""
        return ROLES.index(self.role) >= ROLES.index(role)


LOCAL = Caller("local", "admin")
"""Everybody on this machine, while there is no key."""


def allowed(role: Role) -> Callable[[Request], Caller]:
    """A dependency of routes that only callers with a role may use; it gives the caller.

    Raises:
        Refusal: 401 for no key or one that is not known, 403 for one without the role.
    """

    def caller(request: Request) -> Caller:
        found = caller_of(request)
        if found is None:
            raise unknown()
        if not found.may(role):
            raise Refusal(
                403,
                f"the key '{found.name}' has the role {found.role}, and this needs {role}; ask an "
                "administrator of the server for such a key.",
                type="permission_error",
                code="insufficient_role",
            )
        return found

    return caller


def reason(error: BaseException, caller: Caller | None) -> str | None:
    """What went wrong on the server, for those who keep it.

    It may name places on the server's disk, so only administrators are told; and nobody is told of an
    error that is not memoir's own, since that may quote what somebody else asked.
    """
    if isinstance(error, MemoirError) and caller is not None and caller.may("admin"):
        return str(error)
    return None


def caller_of(request: Request) -> Caller | None:
    """Who asks, as the gate found; None for a caller without a known key."""
    return getattr(request.state, "caller", None)


def unknown() -> Refusal:
    """What a caller without a known key is told."""
    return Refusal(
        401,
        "no known API key was given; send 'Authorization: Bearer memoir-…' with a key from: "
        "memoir keys add NAME",
        type="authentication_error",
        code="invalid_api_key",
        headers={"WWW-Authenticate": "Bearer"},
    )

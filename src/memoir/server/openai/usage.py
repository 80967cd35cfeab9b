"""How many tokens a request took."""

from __future__ import annotations

from pydantic import BaseModel


class Usage(BaseModel):
    """Tokens; a prompt counts once, however many answers it has."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

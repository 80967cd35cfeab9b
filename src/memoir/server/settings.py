"""What the server takes, from whom, and for how long it works on it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from memoir.errors import BadInput


@dataclass(frozen=True)
class Settings:
    """Limits, and what is shown.

    Attributes:
        body_bytes: of a request.
        messages: of a conversation.
        prompts: of a request for completions.
        n: answers to one prompt.
        max_tokens: of one answer; also of a chat's that asks for no limit.
        concurrency: requests of one key that are worked on at once.
        requests_per_minute: of one key; as many may come at once. Looking (GET) is not counted.
        timeout: seconds after which a request is given up.
        cors_origins: whose pages may ask from a browser, such as ``https://example.org``; none, so
            only the server's own page.
        docs: whether ``/openapi.json`` is served.
    """

    body_bytes: int = 2_000_000
    messages: int = 256
    prompts: int = 64
    n: int = 8
    max_tokens: int = 1024
    concurrency: int = 16
    requests_per_minute: int = 600
    timeout: float = 300.0
    cors_origins: tuple[str, ...] = ()
    docs: bool = True

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, (int, float)) and not isinstance(value, bool) and not value > 0:
                raise BadInput(f"the server's {field.name} must be above 0, not {value}.")
        for origin in self.cors_origins:
            if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
                raise BadInput(
                    f"'{origin}' is no origin of a page; give scheme and host, such as "
                    "https://example.org."
                )

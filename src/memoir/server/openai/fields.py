"""What both ways of asking have in common, field by field.

OpenAI's interface has fields that this server does not know. Those that change nothing in an answer
are ignored; one that would change it is refused, unless it is given a value that means: leave it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from memoir.server.asked import Sampling
from memoir.server.openai.errors import Refusal

IGNORED = frozenset(
    {
        "metadata",
        "parallel_tool_calls",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    }
)
REFUSED: Mapping[str, tuple[Any, ...]] = {
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "presence_penalty": (0,),
}
"""By field, the values that change nothing; null never does."""


def _whole(given: Any) -> Any:
    return int(given) if isinstance(given, float) and given.is_integer() else given


Integer = Annotated[int, BeforeValidator(_whole)]
"""JSON has one kind of number: 5.0 is as good an integer as 5."""

StopText = Annotated[str, Field(min_length=1)]


class Given(BaseModel):
    """Something that is sent, with what is ignored and refused in it.

    Attributes:
        ignored: fields that change nothing.
        refused: fields that would, with the values that do not.
    """

    model_config = ConfigDict(extra="forbid", strict=True)
    ignored: ClassVar[frozenset[str]] = frozenset()
    refused: ClassVar[Mapping[str, tuple[Any, ...]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _what_counts(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        for name in cls.refused.keys() & given.keys():
            if given[name] is not None and given[name] not in cls.refused[name]:
                raise Refusal(  # passes pydantic, which would name no field
                    400,
                    f"'{name}' would change the answer, and this server does not support it; leave "
                    "it out.",
                    param=name,
                    code="unsupported_parameter",
                )
        drop = cls.ignored | cls.refused.keys()
        return {name: value for name, value in given.items() if name not in drop}


class StreamOptions(Given):
    """What a stream holds beside the answer.

    Attributes:
        include_usage: whether a last chunk counts the tokens.
    """

    ignored = frozenset({"include_obfuscation"})

    include_usage: bool | None = None


class Options(Given):
    """What only this server has.

    Attributes:
        edits: false asks the model without its edits. Needs the role edit.
        explain: true tells which edit fired, how well it fits and why. Needs the role edit.
    """

    edits: bool = True
    explain: bool = False


class Asked(Given):
    """A request for answers.

    Attributes:
        model: ``MODEL`` or ``MODEL@BRANCH``; the caller's default branch if there is none.
        max_tokens: of an answer.
        temperature: 0 takes the likeliest token.
        top_p: share of the probability that may be drawn from.
        n: answers to each prompt; the draws of answer i, from 0, have the seed ``seed + i``.
        seed: of the draws.
        stop: a text, or up to four, that ends an answer, which does not hold it.
        stream: whether pieces are sent as they come, as server-sent events.
        stream_options, memoir: see there.
    """

    model: str | None = None
    max_tokens: Integer | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False)
    top_p: float | None = Field(None, gt=0, le=1, allow_inf_nan=False)
    n: Integer | None = Field(None, ge=1)
    seed: Integer | None = Field(None, ge=-(2**63), lt=2**63)
    stop: StopText | Annotated[list[StopText], Field(max_length=4)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    memoir: Options | None = None

    def sampling(self, max_tokens: int, likeliest: int | None) -> Sampling:
        """How answers are drawn.

        Args:
            max_tokens: of an answer.
            likeliest: of how many of the likeliest tokens log-probabilities are told; None for none.
        """
        return Sampling(
            max_tokens=max_tokens,
            temperature=1.0 if self.temperature is None else self.temperature,
            top_p=self.top_p or 1.0,
            seed=self.seed,
            stop=(self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ()),
            likeliest=likeliest,
        )

    @property
    def counted(self) -> bool:
        """Whether a stream ends with the counts of tokens."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    @property
    def edits(self) -> bool:
        """Whether edits are in force."""
        return self.memoir is None or self.memoir.edits

    @property
    def explain(self) -> bool:
        """Whether the answer tells which edits fired."""
        return self.memoir is not None and self.memoir.explain

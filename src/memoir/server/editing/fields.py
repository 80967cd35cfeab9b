"""What is sent to the desk, field by field."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Header, Query
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from memoir.types import Edit, Record

Text = Annotated[str, Field(min_length=1)]
Words = Annotated[list[Text], Field(max_length=64)]

Wait = Annotated[
    bool | None,
    Query(description="Answer when it is done; otherwise at once, with a job to follow."),
]
Branch = Annotated[str | None, Query(description="A served branch; by default the caller's.")]
Once = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="A request that is repeated under its key is carried out once.",
    ),
]


class Given(BaseModel):
    """What is sent; unknown fields are refused, so that none is lost without a word."""

    model_config = ConfigDict(extra="forbid", strict=True)

    def content(self, what: str) -> str:
        """All of it, to tell whether it is sent again."""
        return json.dumps([what, self.model_dump()], sort_keys=True)


class Fact(Given):
    """One fact.

    Attributes:
        prompt: text whose continuation changes.
        target: what the model shall say next.
        subject: what it is about.
        phrasings: the prompt in other words.
        aliases: other names of the subject.
        source: where it is from.
        expires: the last day it is known to hold, ``YYYY-MM-DD``.
        tags: words to find it by.
    """

    prompt: Text
    target: Text
    subject: Text | None = None
    phrasings: Words = []
    aliases: Words = []
    source: str | None = None
    expires: str | None = None
    tags: Words = []

    def edit(self) -> Edit:
        """The same as the library has it."""
        return Edit(
            self.prompt,
            self.target,
            self.subject,
            tuple(self.phrasings),
            tuple(self.aliases),
            source=self.source,
            expires=self.expires,
            tags=tuple(self.tags),
        )


class OneEdit(Fact):
    """A fact to teach.

    Attributes:
        message: why.
        together: means nothing where there is one.
        force: teach it in spite of objections, which are recorded.
        branch: a served one; by default the caller's.
    """

    message: str = ""
    together: bool = True
    force: bool = False
    branch: str | None = None

    def records(self) -> list[Record]:
        """What is to be taught."""
        return [Record(self.edit())]


class ManyEdits(Given):
    """Facts to teach.

    Attributes:
        edits: the facts.
        message: why.
        together: as one change, or none. Otherwise a fact that is refused stops none of the others.
        force: teach them in spite of objections, which are recorded.
        branch: a served one; by default the caller's.
    """

    edits: Annotated[list[Fact], Field(min_length=1, max_length=1000)]
    message: str = ""
    together: bool = True
    force: bool = False
    branch: str | None = None

    def records(self) -> list[Record]:
        """What is to be taught."""
        return [Record(each.edit()) for each in self.edits]


def _kind(given: Any) -> str:
    many = isinstance(given, ManyEdits) or (isinstance(given, dict) and "edits" in given)
    return "many" if many else "one"


Edits = Annotated[
    Annotated[OneEdit, Tag("one")] | Annotated[ManyEdits, Tag("many")], Discriminator(_kind)
]


class Reason(Given):
    """Why an edit is taken back."""

    message: str = ""


class CheckWanted(Given):
    """What is checked.

    Attributes:
        unrelated: questions that no edit is about.
        anew: ask also what is known.
        branch: a served one; by default the caller's.
    """

    unrelated: Annotated[int, Field(ge=0, le=120)] = 40
    anew: bool = False
    branch: str | None = None


class BlameWanted(Given):
    """The prompt whose answer is in question.

    Attributes:
        prompt: bare text.
        chat: put it into the model's chat template.
        branch: a served one; by default the caller's.
    """

    prompt: Text
    chat: bool = False
    branch: str | None = None

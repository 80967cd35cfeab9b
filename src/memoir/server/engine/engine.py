"""The engine of a server: see :class:`memoir.server.asked.Engine` for what it promises."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from memoir.errors import BadInput, UnknownName
from memoir.host import Host
from memoir.host.texts import Texts
from memoir.server.asked import Load, Question, Served
from memoir.server.engine.answering import Answering
from memoir.server.engine.batch import check_cache
from memoir.server.engine.branches import Branches
from memoir.server.engine.loop import Limits, Loop
from memoir.server.engine.waiting import Expected


class Engine:
    """Answers questions side by side, with one copy of a model's weights.

    Everything that touches the model for it happens in one thread of its own, and what it attaches acts
    in that thread only: other threads may teach the same model meanwhile, and see nothing of it.

    Args:
        host: the model.
        store: the store's folder or address; it is opened anew, so that others may write to it.
        branches: names of those that are served; at least one.
        limits: bounds of what is answered at once.

    Attributes:
        texts: encodes prompts and conversations.
        model: how the model is called.

    Raises:
        BadInput: no branch is named.
        UnknownName: there is no such branch.
        NotServable: the store's method, or the model, does not work row by row.
        StoreError: the store cannot be used, is empty, or belongs to another model.
    """

    def __init__(
        self,
        host: Host,
        store: str | Path,
        branches: Sequence[str],
        limits: Limits | None = None,
    ) -> None:
        if not branches:
            raise BadInput("no branch is named; give at least one to serve, such as main.")
        check_cache(host)
        self.texts: Texts = host
        self.model = host.name
        self._vocabulary = int(host.model.get_input_embeddings().weight.shape[0])
        names = list(dict.fromkeys(branches))
        self._loop = Loop(host, lambda: Branches(host, store, names), limits or Limits())

    async def ask(self, question: Question) -> Answering:
        """Take a question in.

        Raises:
            ServerBusy: too many wait already, or the server is closing.
            UnknownName: no such branch is served.
            BadInput: the prompt is empty, or leaves no room for the answer.
        """
        served = self._served(question.state)
        self._check_length(question)
        return self._loop.take(question, served)

    def served(self) -> Sequence[Served]:
        """The branches."""
        return self._loop.served()

    async def reached(self, state: str, commit: str) -> None:
        """Wait until questions on a branch begin with a commit or a later one.

        Raises:
            UnknownName: no such branch is served.
            MemoirError: the branch cannot be served any more.
            ServerBusy: the server is closing.
        """
        if self._served(state).commit == commit:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._loop.expect(Expected(state, commit, future))
        await future

    def load(self) -> Load:
        """How busy it is."""
        return self._loop.load()

    async def close(self, patience: float) -> None:
        """Take no more questions, wait for those under way, at most so many seconds, and leave the
        model as it was. Calling it again does nothing."""
        await asyncio.to_thread(self._loop.drain, patience)
        await asyncio.to_thread(self._loop.stop)

    def _served(self, state: str) -> Served:
        served = {each.name: each for each in self.served()}
        if state not in served:
            raise UnknownName.among("served branch", state, served)
        return served[state]

    def _check_length(self, question: Question) -> None:
        prompt, answer = question.prompt.prompt, question.sampling.max_tokens
        if not prompt:
            raise BadInput("the prompt is empty; give it at least one token.")
        unknown = next((id for id in prompt if not 0 <= id < self._vocabulary), None)
        if unknown is not None:
            raise BadInput(
                f"the prompt has the token id {unknown}, but {self.model} has 0 to "
                f"{self._vocabulary - 1}; encode it with this model's tokenizer, or send text."
            )
        window = self.texts.context_window
        if window is not None and len(prompt) + answer > window:
            raise BadInput(
                f"the prompt has {len(prompt)} tokens and max_tokens is {answer}, "
                f"{len(prompt) + answer} in all, but {self.model} reads at most {window}; shorten the "
                "prompt or lower max_tokens."
            )

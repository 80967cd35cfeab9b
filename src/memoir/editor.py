"""The façade: teach a model facts, ask it, take them back.

An editor is a host, a method and a store. Its state is the fold of the store's log, so opening the
store again, in another process, gives the same behaviour bit for bit.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from transformers import PreTrainedModel

from memoir import methods
from memoir.committing import Committer
from memoir.dates import day
from memoir.errors import EditRefused, NotAStore, StoreError
from memoir.fold import Fold
from memoir.host import Host
from memoir.host.answering import scored
from memoir.host.loading import load_host
from memoir.host.tokens import Encoded
from memoir.methods.base import Method
from memoir.store import Entry, Row, Store
from memoir.types import Answer, Edit, Match, Note, Progress, Receipt, Score, no_progress

Prompt = str | Sequence[dict[str, str]]
"""Bare text, or a conversation as ``{"role": …, "content": …}`` messages."""


ASK_BATCH = 32
"""Prompts generated side by side."""


class Editor:
    """Edits one model. Use :meth:`open`.

    Args:
        host: the model.
        store: where edits are kept.
        method: name of the method that a new store shall use.
        config: its settings for a new store. An existing store has its own of both.
        progress: called while something takes long.
        at: the branch to follow, or the commit or tag to stay at; None for the branch in use.

    Attributes:
        review: called with the editor while a change is in force and before it is committed; what it
            raises keeps the change from being made. See :mod:`memoir.versions.gate`.
        committer: takes edits out of force, brings others back and teaches new ones, as one commit.
    """

    def __init__(
        self,
        host: Host,
        store: Store,
        method: str = "memoir",
        config: Any = None,
        progress: Progress = no_progress,
        at: str | None = None,
    ) -> None:
        self._fold = Fold(host, store, method, config, progress, at)
        self.review: Callable[[Editor], None] | None = None
        self.committer = Committer(self._fold, self._reviewed)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def open(
        cls,
        model: str | None = None,
        store: str | Path | None = None,
        *,
        method: str = "memoir",
        preset: str = "default",
        settings: dict[str, Any] | None = None,
        site: int | str | None = None,
        dtype: str = "auto",
        device_map: str | dict[str, Any] | None = None,
        patience: float = 60.0,
        progress: Progress = no_progress,
        at: str | None = None,
    ) -> Editor:
        """Open a store, or make one, and load its model.

        Args:
            model: ``smollm2`` (the default), a folder, or a Hugging Face id. An existing store
                knows its model.
            store: folder of the store, or the address of a database such as
                ``postgresql://USER@HOST/DATABASE?schema=NAME``; made if it does not exist. None keeps
                edits for the life of this object only.
            method: editing method of a new store; see :func:`memoir.methods.available`.
            preset: named settings of that method for a new store.
            settings: single settings that replace the preset's.
            site: layer index or module path to edit in a new store; None for the default depth.
            dtype, device_map: how to load the model, see :func:`memoir.host.loading.load_host`.
            patience: seconds to wait for another process that is writing.
            progress: called while something takes long.
            at: the branch to follow, or the commit or tag to stay at; None for the branch in use.

        Raises:
            UnknownName: no such model, site, method, preset, setting or state.
            WrongModel: the store belongs to another model.
        """
        if at is not None and (store is None or not Store.exists(store)):
            raise NotAStore(
                f"{store or 'an editor without a store'} holds no memoir store, so there is no state "
                f"'{at}' to look at; leave it out to make a new store."
            )
        if store is not None and Store.exists(store):
            opened = Store(store, patience)
            bound = opened.settings(None if at is None else opened.history.resolve(at))
            if bound is not None:
                name = model or bound.body["identity"]["model"]
                host = load_host(name, bound.body["site"], dtype, device_map)
                return cls(host, opened, progress=progress, at=at)
            opened.close()
        config = methods.configured(methods.get(method), preset, settings or {})
        named = (site, getattr(config, "layer", None), getattr(config, "depth", None))
        where = next((each for each in named if each is not None), None)
        host = load_host(model or "smollm2", where, dtype, device_map)
        temporary = None
        if store is None:
            temporary = tempfile.TemporaryDirectory(prefix="memoir-")
            store = Path(temporary.name) / "store"
        try:
            opened = (
                Store(store, patience) if Store.exists(store) else Store.create(store, patience)
            )
            editor = cls(host, opened, method, config, progress)
        except BaseException:
            if temporary is not None:
                temporary.cleanup()
            raise
        editor._temporary = temporary
        return editor

    def close(self) -> None:
        """Take the memory off the model and release the store."""
        self.method.close()
        self.store.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Editor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def host(self) -> Host:
        """The model with its tokenizer and site."""
        return self._fold.host

    @property
    def store(self) -> Store:
        """Where edits are kept."""
        return self._fold.store

    @property
    def method(self) -> Method:
        """The method in force, with its settings in ``method.config``."""
        return self._fold.method

    @property
    def model(self) -> PreTrainedModel:
        """The model with the edits in force: an ordinary transformers model."""
        return self.host.model

    # ------------------------------------------------------------------ editing

    def edit(
        self,
        prompt: str,
        target: str,
        subject: str | None = None,
        *,
        phrasings: Sequence[str] = (),
        aliases: Sequence[str] = (),
        source: str | None = None,
        expires: str | None = None,
        tags: Sequence[str] = (),
        note: Note | None = None,
    ) -> Receipt:
        """Teach one fact; it is in force and durable when this returns.

        Args:
            prompt: text whose continuation is changed, e.g. ``"The CEO of Acme is"``.
            target: what the model shall say next, e.g. ``"Dana Reyes"``.
            subject: what the fact is about; optional.
            phrasings: the same prompt in other words; optional.
            aliases: other names of the subject; optional.
            source, expires, tags: kept with the edit, see :class:`memoir.types.Edit`.
            note: who changes this, and why.

        Raises:
            BadInput: prompt or target is empty, or both exceed the context window.
            EditRefused: the edit did not converge; nothing was written.
            StoreError: it could not be written; nothing changed.
        """
        edit = Edit(
            prompt,
            target,
            subject,
            tuple(phrasings),
            tuple(aliases),
            source=source,
            expires=expires,
            tags=tuple(tags),
        )
        (result,) = self.edit_many([edit], note=note)
        if isinstance(result, EditRefused):
            raise result
        return result

    def edit_many(
        self,
        edits: Iterable[Edit],
        on_done: Callable[[Receipt | EditRefused], None] = lambda _result: None,
        *,
        note: Note | None = None,
        together: bool = False,
        progress: Progress = no_progress,
    ) -> list[Receipt | EditRefused]:
        """Teach facts in order, as many side by side as the method's settings say.

        Every input is checked before the first is fitted. What is fitted side by side is committed at
        once, and an edit that is refused is returned in its place and stops none of the others.

        Args:
            edits: the facts.
            on_done: called with each result as soon as it is durable.
            note: who changes this, and why.
            together: commit all of them as one change, or none: the first that is refused is raised.
            progress: called as edits are fitted.

        Raises:
            BadInput: a fact cannot be encoded, or the day it expires is none.
            StoreError: what this editor looks at is a commit or a tag.
        """
        todo = list(edits)
        for edit in todo:
            self.host.encode(edit.prompt, edit.target)
            if edit.expires is not None:
                day(edit.expires, "expires")
        size = getattr(self.method.config, "batch_size", 1)
        batches = [todo[start : start + size] for start in range(0, len(todo), size)]
        results: list[Receipt | EditRefused] = []
        if together and todo:
            progress("editing", 0, len(todo))
            results += self.committer.change(teach=batches, note=note, progress=progress).receipts
            for result in results:
                on_done(result)
            return results
        for number, batch in enumerate(batches):
            progress("editing", len(results), len(todo))
            if number:
                time.sleep(0.02)  # another process that waits for the lock gets its turn
            for result in self.committer.teach(batch, note, progress):
                results.append(result)
                on_done(result)
        return results

    def _reviewed(self) -> None:
        if self.review is not None:
            self.review(self)

    def revert(self, *words: str, note: Note | None = None) -> Row:
        """Take edits and commits back, exactly, all or none; later ones stay. Returns the commit that
        does.

        Args:
            words: ids of edits or commits or unambiguous beginnings of them, names of commits, or
                ``A..B``: the commits after A up to B.
            note: who changes this, and why.

        Raises:
            UnknownName: no such edit or commit, or an edit is not in force.
            StoreError: a commit cannot be taken back.
        """
        with self.committer.changing() as branch:
            row = self.store.revert(words, note, branch)
            self.refresh()
            return row

    # ------------------------------------------------------------------ asking

    def ask(
        self,
        prompt: Prompt,
        *,
        chat: bool = False,
        system: str | None = None,
        max_new_tokens: int = 32,
        edits: bool = True,
    ) -> Answer:
        """Greedy text after a prompt, with the evidence of which edit fired.

        Args:
            prompt: bare text, or a conversation as messages.
            chat: put bare text into the model's chat template, as a user's turn.
            system: a system prompt before that turn.
            max_new_tokens: longest answer, in tokens.
            edits: False asks the unedited model.
        """
        return self.ask_many(
            [prompt], chat=chat, system=system, max_new_tokens=max_new_tokens, edits=edits
        )[0]

    def ask_many(
        self,
        prompts: Sequence[Prompt],
        *,
        chat: bool = False,
        system: str | None = None,
        max_new_tokens: int = 32,
        edits: bool = True,
    ) -> list[Answer]:
        """:meth:`ask` for several prompts, in batches; they do not influence each other."""
        rows = [self._encode(prompt, chat, system) for prompt in prompts]
        answers: list[Answer] = []
        for start in range(0, len(rows), ASK_BATCH):
            answers += self._ask_batch(rows[start : start + ASK_BATCH], max_new_tokens, edits)
        return answers

    def _ask_batch(self, rows: Sequence[Encoded], max_new_tokens: int, edits: bool) -> list[Answer]:
        with self.edits_in_force(edits), self.method.attachment.scope() as scope:
            texts = [self.host.decode(ids) for ids in self.host.generate(rows, max_new_tokens)]
        matches: Sequence[Match | None] = [None] * len(rows)
        if scope.route is not None:
            matches = self.method.verdicts(scope.route)
        return [Answer(text, match) for text, match in zip(texts, matches, strict=True)]

    def edits_in_force(self, in_force: bool) -> AbstractContextManager[None]:
        """A block in which this thread sees the edits, or the unedited model."""
        return nullcontext() if in_force else self.method.attachment.paused()

    @torch.no_grad()
    def score_many(self, pairs: Sequence[tuple[str, str]], *, edits: bool = True) -> list[Score]:
        """Teacher-forced scores of (prompt, target) pairs in one batch.

        Only the prompts' tokens enter the decision which edit fires.
        """
        rows = [self.host.encode(prompt, target) for prompt, target in pairs]
        tokens = self.host.batch(rows)
        lengths = [len(row.prompt) for row in rows]
        with self.edits_in_force(edits), self.method.attachment.scope(lengths):
            keep = tokens.longest_answer + 1
            logits = self.host.logits(tokens, keep)[:, :-1].float()
        return [
            scored(each[-len(row.target) :], row.target)
            for row, each in zip(rows, logits, strict=True)
        ]

    def _encode(self, prompt: Prompt, chat: bool, system: str | None) -> Encoded:
        if isinstance(prompt, str):
            bare = self.host.encode(prompt)  # refuses an empty prompt either way
            if not chat and system is None:
                return bare
            messages = [{"role": "user", "content": prompt}]
        else:
            messages = list(prompt)
        if system is not None:
            messages = [{"role": "system", "content": system}, *messages]
        return self.host.encode_chat(messages)

    # ------------------------------------------------------------------ the log

    def log(self) -> list[Entry]:
        """Every edit ever made in the store, in order, with what became of it."""
        return self.store.entries()

    @property
    def at(self) -> str:
        """Id of the commit whose edits are in force."""
        assert self._fold.at is not None, "a fold loads a commit before anything else"
        return self._fold.at

    @property
    def branch(self) -> str | None:
        """The branch that edits go to; None where a commit or a tag is looked at."""
        return self._fold.branch

    def live(self) -> list[Row]:
        """Rows of the edits in force, in order."""
        return list(self._fold.live.values())

    @property
    def damaged(self) -> dict[str, str]:
        """Edits that cannot be used, by id, with what is wrong; all others are in force."""
        return dict(self._fold.damaged)

    def __len__(self) -> int:
        """Number of edits in force."""
        return len(self._fold.live)

    def refresh(self) -> None:
        """Follow what other processes have added to the store."""
        self._fold.refresh()

    def calibrate(
        self,
        layers: Sequence[int] | None = None,
        ks: Sequence[int] | None = None,
        false_fire_rate: float = 0.01,
        progress: Progress = no_progress,
    ) -> dict[str, Any]:
        """Choose layer, k and τ by measurement, write the choice to the log, and use it.

        Args:
            layers: candidate layers; None keeps the present one.
            ks: candidate numbers of active columns; None keeps the present one.
            false_fire_rate: share of unrelated prompts that may fire, 0..1.

        Returns:
            The evidence: what every candidate achieved.

        Raises:
            StoreError: edits are in force and the candidates differ from the present layer and k,
                under which those edits were made.
        """
        from memoir.calibration import calibrate
        from memoir.methods.memoir import MemoirConfig, prepared_from

        config = self.method.config
        if not isinstance(config, MemoirConfig) or config.layer is None or config.k is None:
            raise StoreError(
                "calibration chooses settings of the method memoir; this store has another."
            )
        if config.router != "overlap":
            raise StoreError(
                "this store's router goes by meaning: it was fitted to the model when the store was "
                "made, and needs no layer, k or τ. Calibration is for router='overlap' (the preset "
                "faithful)."
            )
        layers, ks = layers or [config.layer], ks or [config.k]
        with self.committer.changing():
            if len(self) and (set(layers) != {config.layer} or set(ks) != {config.k}):
                raise StoreError(
                    f"{len(self)} edits are in force, made at layer {config.layer} with "
                    f"k = {config.k}; only the threshold can be calibrated again. Calibrate layer "
                    "and k in a new store, before its first edit."
                )
            with self.method.attachment.paused():
                found = calibrate(
                    self.host,
                    layers,
                    ks,
                    seed=config.seed,
                    false_fire_rate=false_fire_rate,
                    progress=progress,
                )
            chosen = prepared_from(replace(config, false_fire_rate=false_fire_rate), found)
            self._fold.bind(self.host.at(found.chosen.layer), "memoir", chosen)
            self.refresh()
        return found.evidence()

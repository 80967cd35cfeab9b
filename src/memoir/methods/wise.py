"""WISE: Rethinking the Knowledge Memory for Lifelong Model Editing of Large Language Models (Wang et
al., NeurIPS 2024, arXiv 2405.14768).

A side memory W + τ beside one feed-forward output projection W. Prompts on which it would change much
are answered by it, all others by W, bit for bit (§2.3.1, eq. 6):

    output = (W + τ) x  if Δact ≥ ε,  else W x          Δact: :mod:`memoir.core.side_memory`
    ε = ratio · the smallest Δact of the edits' own prompts        (in the paper, ratio is 1)

Δact is the mean over the prompt's tokens; what is decided there holds for every token that follows.
One edit after another is taught to its shard's change τ_s, starting from what earlier edits left there
(§2.3.2, eq. 7):

    L = cross-entropy per target token + margin loss
    τ_s ← clamp(τ_s − lr · unit² · mask_s ⊙ ∇L)         SGD

``default`` (WISE-Merge) answers with all shards merged by TIES (eq. 8); ``retrieve`` (WISE-Retrieve)
keeps them apart, and the one with the largest Δact answers, if that reaches its own ε.

**Scaled for models of any size.** (α, β, γ) = (5, 20, 10) were chosen for the norms of 4096 outputs of
7B models. Here Δact is counted in units of a tenth of the mean ‖a(W x)‖ over the tokens of the shipped
background prompts: an edit's prompt shall change by twice the layer's usual output, an irrelevant one
by half of it at most. The same SGD on outputs counted so, and on weights that give them, makes steps of
lr · unit² on W's own. The rule is ours.

**State.** A change is the difference that one edit makes to τ_s, at the shard's masked elements only.
τ_s is the clamped sum of the differences in force, in log order; taking an edit back adds up the others
anew, and ε follows from those in force. So no edit is lost when the next is taught.

More things differ from the authors' code. Irrelevant prompts are the shipped background ones, some for
each edit. Edits are taught on their bare prompt, without generated prefixes, and are done once the
loss is small; theirs must stand still, too. Cross-entropy is the mean over the target; theirs is
divided by one token more. There is no weight decay; their SGD's 1e-5 shrinks the whole side memory.
Shards are merged whenever the memory is used, also when the last one is not full, and all alike; they
merge every two full ones, together with what was merged before (or, to retrieve, into one more side
memory), and ask the unmerged one beside. ε is read from the memory as it is now; theirs stays as it
was when each edit was made. Δact is of prompts; in training they average over the target's tokens as
well, and of texts of more than 100 tokens they take the largest. Their replay (appendix B.3) is left
out.

A side memory knows no edits: a match names the edit of the answering memory whose prompt has the
nearest mean activation.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from memoir.calibration import Background
from memoir.core.side_memory import margin_loss
from memoir.errors import BadInput, EditRefused, LossNotFinite
from memoir.host import Attachment, Fed, Host
from memoir.methods.base import Batch, Change, Need, Prepared, Usual
from memoir.side_memories import AT_THE_THRESHOLD, SideMemories, output_size, read_texts
from memoir.types import Edit, Match, Progress, no_progress

UNITS = 10
"""Units of activation in the mean ‖a(W x)‖."""


@dataclass(frozen=True)
class WiseConfig:
    """Settings of WISE.

    Attributes:
        depth: relative depth of the layer, 0..1 (LLaMA-2: 27 of 32).
        retrieve: keep the shards apart (WISE-Retrieve); otherwise merge them (WISE-Merge).
        lr: SGD's step, in squared units (LLaMA-3: 0.9).
        max_steps: updates of one edit at most (30 to 70 by model).
        stop_loss: an edit is done below this loss, margin included.
        mask_ratio: share of the elements that one shard may change.
        clamp: bound on each element of a shard's change.
        shard_size: edits of one shard.
        density: share of a shard's elements that TIES keeps; masked-out ones count too, so it trims
            only if it is less than ``mask_ratio``.
        alpha: an irrelevant prompt's Δact shall be less than this, in units (LLaMA-3: 2).
        beta: an edit's own shall be more than this, in units.
        gamma: and by this more than an irrelevant one's, in units.
        ratio: ε in proportion to the smallest Δact of an edit's own prompt (LLaMA-3: 0.5).
        irrelevant: irrelevant prompts for each edit, at least one (authors: 1).
        unit: one unit of Δact; None: measured, see the module's docstring.
        seed: of masks and of the choice of irrelevant prompts.
    """

    depth: float = 27 / 32
    retrieve: bool = False
    lr: float = 1.0
    max_steps: int = 70
    stop_loss: float = 2e-2
    mask_ratio: float = 0.2
    clamp: float = 1.0
    shard_size: int = 500
    density: float = 0.53
    alpha: float = 5.0
    beta: float = 20.0
    gamma: float = 10.0
    ratio: float = 0.88
    irrelevant: int = 8
    unit: float | None = None
    seed: int = 0


class Route(NamedTuple):
    """Which side memory answers each row of a batch.

    Attributes:
        matches: the verdicts.
        memory: index into ``changes``; -1 for the layer itself.
        changes: of the side memories, as they were when this was decided.
    """

    matches: list[Match]
    memory: list[int]
    changes: list[Float[Tensor, "d_out d_in"]]


class Wise(Usual):
    """WISE on one host."""

    Config: ClassVar[type] = WiseConfig
    presets: ClassVar[Mapping[str, WiseConfig]] = {
        "default": WiseConfig(),
        "retrieve": WiseConfig(retrieve=True),
    }
    paper: ClassVar[str] = "WISE, NeurIPS 2024, arXiv 2405.14768"
    undo: ClassVar[Literal["exact", "replay"]] = "replay"
    spares_others: ClassVar[bool] = True
    needs: ClassVar[tuple[Need, ...]] = ("background",)
    batch: ClassVar[Batch] = "one by one"
    storage: ClassVar[str] = "a fifth of a weight, and the prompt's activations"

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config: WiseConfig = prepared.config
        assert self.config.unit is not None, "prepare measures it"
        self._memories = SideMemories(host, self.config, self.config.unit)
        self._read_before: dict[str, Tensor] = {}
        self.attachment = Attachment(host, self)

    @classmethod
    def prepare(cls, host: Host, config: WiseConfig, progress: Progress = no_progress) -> Prepared:
        """Measure the unit of Δact, if it is not given."""
        if config.irrelevant < 1:
            raise BadInput(
                f"irrelevant={config.irrelevant}: without an irrelevant prompt beside each edit "
                "nothing tells the edits' prompts from others; give at least 1."
            )
        prompts = Background.shipped().prompts
        if config.unit is None:
            size = output_size(host, prompts, progress)
            config = replace(config, unit=size / UNITS)
        return Prepared(config, {}, {"unit": config.unit, "prompts": len(prompts)})

    # ------------------------------------------------------------------ inference

    @torch.no_grad()
    def decide(self, activations: Float[Tensor, "batch seq d_in"], fed: Fed) -> Route:
        """The side memory with the largest Δact, for every prompt."""
        memories = self._memories.ready()
        if not memories:
            none = [Match(None, 0.0, AT_THE_THRESHOLD) for _ in fed.rank]
            return Route(none, [-1] * len(none), [])
        lengths = fed.prompt.sum(1).tolist()
        tokens = activations[fed.prompt.to(activations.device)].to(self.host.device)
        changes = [memory.change for memory in memories]
        found = torch.stack([self._memories.moved(tokens, lengths, each) for each in changes])
        matches, answering = [], []
        for own, prompt in zip(found.T, tokens.float().split(lengths), strict=True):
            best = int(own.argmax())
            matches.append(memories[best].match(float(own[best]), prompt.mean(0), best))
            answering.append(best if matches[-1].fired else -1)
        return Route(matches, answering, changes)

    def act(
        self,
        activations: Float[Tensor, "batch seq d_in"],
        output: Float[Tensor, "batch seq d_out"],
        route: Route,
        fed: Fed,
    ) -> Float[Tensor, "batch seq d_out"] | None:
        """The side memories' outputs in place of the layer's, at every token of their rows."""
        answering = sorted(set(route.memory) - {-1})
        if not answering:
            return None
        changed = output.clone()
        for memory in answering:
            rows = [row for row, its in enumerate(route.memory) if its == memory]
            change = route.changes[memory]
            changed[rows] += (activations[rows].to(change) @ change.T).to(output)
        return changed

    # ------------------------------------------------------------------ state

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        self._memories.add(id, tensors)

    def remove(self, id: str) -> None:
        self._memories.remove(id)

    # ------------------------------------------------------------------ editing

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        """One edit after another, each from the shard that those before it left."""
        memories, sizes = self._memories, self._memories.sizes()
        shards: dict[int, Float[Tensor, "d_out d_in"]] = {}
        results: list[Change | EditRefused] = []
        for number, edit in enumerate(edits):
            shard = max(sizes, default=0)
            shard += sizes[shard] >= self.config.shard_size
            before = shards[shard] if shard in shards else memories.shard(shard)
            result = self._fit(edit, shard, before)
            if isinstance(result, Change):
                sizes[shard] += 1
                difference = result.tensors["difference"]
                shards[shard] = memories.changed_by(before, shard, difference)
            results.append(result)
            progress("fitting", number + 1, len(edits))
        return results

    def _fit(
        self, edit: Edit, shard: int, before: Float[Tensor, "d_out d_in"]
    ) -> Change | EditRefused:
        start = time.perf_counter()
        config, mask = self.config, self._memories.mask(shard)
        assert config.unit is not None
        lesson = _Lesson(self.host, self._memories, edit, self._irrelevant(edit))
        read = time.perf_counter()
        change = before.clone().requires_grad_()
        losses: list[float] = []
        for step in range(config.max_steps + 1):
            with torch.enable_grad():
                loss, said = lesson.loss(change, config)
            losses.append(float(loss.detach()))
            if not torch.isfinite(loss):
                return LossNotFinite(
                    f"the loss of '{edit.prompt}' → '{edit.target}' is {losses[-1]} after {step} "
                    "steps; nothing was written. Lower the learning rate (lr).",
                    losses,
                )
            if step == config.max_steps or losses[-1] < config.stop_loss:
                break
            (gradient,) = torch.autograd.grad(loss, change)
            change.data -= config.lr * config.unit**2 * mask * gradient
            change.data.clamp_(-config.clamp, config.clamp)
        seconds = {"read": read - start, "fit": time.perf_counter() - read}
        tensors = {
            "shard": torch.tensor([shard]),
            "prompt": lesson.prompt.cpu(),
            "difference": (change.detach() - before)[mask].cpu(),
        }
        return Change(edit, tensors, tuple(losses), said, seconds)

    def _irrelevant(self, edit: Edit) -> list[Float[Tensor, "tokens d_in"]]:
        """What irrelevant prompts put into the site; which ones depends on the edit's prompt."""
        prompts = Background.shipped().prompts
        draw = random.Random(f"{self.config.seed} {edit.prompt}")
        drawn = draw.sample(prompts, min(self.config.irrelevant, len(prompts)))
        for text in drawn:
            if text not in self._read_before:
                self._read_before[text] = read_texts(self.host, [text])[0]
        return [self._read_before[text] for text in drawn]


class _Lesson:
    """One edit beside irrelevant prompts, read up to the site.

    Attributes:
        prompt: what the edit's prompt puts into the site.
    """

    def __init__(
        self,
        host: Host,
        memories: SideMemories,
        edit: Edit,
        irrelevant: Sequence[Float[Tensor, "tokens d_in"]],
    ) -> None:
        self._host = host
        self._memories = memories
        row = host.encode(edit.prompt, edit.target)
        self._reading = host.read(host.batch([row]))
        self._target: Int[Tensor, " target"] = self._reading.tokens.ids[0, -len(row.target) :]
        self.prompt: Float[Tensor, "tokens d_in"] = self._reading.activations[
            0, : len(row.prompt)
        ].float()
        prompts = [self.prompt, *irrelevant]
        self._lengths = [len(prompt) for prompt in prompts]
        self._tokens = torch.cat(prompts)

    def loss(
        self, change: Float[Tensor, "d_out d_in"], config: WiseConfig
    ) -> tuple[Float[Tensor, ""], bool]:
        """Cross-entropy per target token plus margin loss, and whether the target has rank one."""
        added = self._reading.activations.to(change) @ change.T
        keep = len(self._target) + 1
        logits = self._host.replay(self._reading, added, keep=keep)[0, :-1].float()
        own, *others = self._memories.moved(self._tokens, self._lengths, change)
        margin = margin_loss(own, torch.stack(others), config.alpha, config.beta, config.gamma)
        said = bool((logits.detach().argmax(-1) == self._target).all())
        return F.cross_entropy(logits, self._target) + margin.to(logits.device), said

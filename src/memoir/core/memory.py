"""The residual memory (MEMOIR, arXiv 2506.07899) in its dual form.

    out_t = W0 a_t + Wm (m ⊙ a_t)

Only ``Wm`` changes. The layers below the edited one never do, so every gradient step on ``Wm`` is a
combination of the edit's own masked inputs, and a whole edit is exactly

    ΔWm = Cᵀ Ã        Ã = m ⊙ a   (keys)      C   (coefficients)

with one row per token of the edit. :class:`Delta` is that pair. Two memories hold deltas:

* :class:`SharedMemory`, the paper's: one dense ``Wm`` that all edits are added into;
* :class:`IsolatedMemory`: each delta kept apart and only the matched edit's applied, so edits
  cannot interfere.

Exact undo. Floating-point sums depend on their order, so taking an edit out of a dense ``Wm`` would
leave a trace of rounding. Deltas are therefore stored as 16-bit integers times a power of two;
their product is an exact integer in float64, and the shared memory adds it to a ledger of 64-bit
integers. Integer sums have no order: after a removal the memory is, bit for bit, what it would be
had the edit never been added, on any machine and with any number of threads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

GRID_BITS = 40
"""The ledger counts in units of 2**-40: far below float32's resolution, and ±2**23 fits int64."""


def _quantise(values: Float[Tensor, ...]) -> tuple[Int[Tensor, ...], int]:
    """``values ≈ integers · 2**exponent`` with 16-bit integers; the error is ≤ 2**-15 of the peak."""
    peak = float(values.abs().max()) if values.numel() else 0.0
    if peak == 0.0:
        return values.to(torch.int16), 0
    exponent = int(torch.tensor(peak / 32767).log2().ceil())
    scaled = torch.ldexp(values.double(), torch.tensor(-exponent))
    return scaled.round().clamp(-32767, 32767).to(torch.int16), exponent


@dataclass(frozen=True)
class Delta:
    """One edit's contribution to the memory: ``Wm[:, columns] += coefficientsᵀ keys · 2**exponent``.

    Attributes:
        columns: the active columns of the edit's mask, ascending.
        keys: the edit's activations at those columns, one row per token.
        coefficients: what each key adds to the layer's output.
        places: number of target tokens said before each key's token; -1 for a key that acts wherever
            the memory does.
        keys_exponent, coefficients_exponent: the powers of two that scale the integers.
        decay: factor in 0..1 applied to everything stored before this edit. 1.0 but for the authors'
            weight decay.
    """

    columns: Int[Tensor, " k"]
    keys: Int[Tensor, "keys k"]
    coefficients: Int[Tensor, "keys d_out"]
    places: Int[Tensor, " keys"]
    keys_exponent: int
    coefficients_exponent: int
    decay: float = 1.0

    @classmethod
    def of(
        cls,
        mask: Bool[Tensor, " d_in"],
        keys: Float[Tensor, "keys d_in"],
        coefficients: Float[Tensor, "keys d_out"],
        decay: float = 1.0,
        places: Int[Tensor, " keys"] | None = None,
    ) -> Delta:
        """Quantise a fitted edit, leaving out tokens that ended up contributing nothing.

        Args:
            mask, keys, coefficients: the edit; keys outside the mask count as zero.
            decay, places: see the class; no places means that every key acts everywhere.
        """
        columns = mask.nonzero().squeeze(-1).cpu()
        used = coefficients.abs().amax(dim=1).cpu() > 0
        int_keys, keys_exponent = _quantise(keys.cpu()[used][:, columns].float())
        int_coefficients, coefficients_exponent = _quantise(coefficients.cpu()[used].float())
        everywhere = torch.full((len(keys),), -1)
        return cls(
            columns.to(torch.int32),
            int_keys,
            int_coefficients,
            (everywhere if places is None else places.cpu())[used].to(torch.int16),
            keys_exponent,
            coefficients_exponent,
            decay,
        )

    def tensors(self) -> dict[str, Tensor]:
        """Everything needed to rebuild the delta, for a tensor file."""
        return {
            "columns": self.columns,
            "keys": self.keys,
            "coefficients": self.coefficients,
            "places": self.places,
            "exponents": torch.tensor([self.keys_exponent, self.coefficients_exponent]),
            "decay": torch.tensor(self.decay, dtype=torch.float64),
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Delta:
        """Inverse of :meth:`tensors`."""
        keys_exponent, coefficients_exponent = tensors["exponents"].tolist()
        return cls(
            tensors["columns"],
            tensors["keys"],
            tensors["coefficients"],
            tensors["places"],
            keys_exponent,
            coefficients_exponent,
            float(tensors["decay"]),
        )

    def mask(self, d_in: int) -> Bool[Tensor, " d_in"]:
        """The edit's mask."""
        mask = torch.zeros(d_in, dtype=torch.bool)
        mask[self.columns.long()] = True
        return mask

    def dense_keys(self, d_in: int) -> Float[Tensor, "keys d_in"]:
        """Keys in float32, zero outside the active columns."""
        keys = torch.zeros(len(self.keys), d_in)
        keys[:, self.columns.long()] = torch.ldexp(
            self.keys.float(), torch.tensor(self.keys_exponent)
        )
        return keys

    def dense_coefficients(self) -> Float[Tensor, "keys d_out"]:
        """Coefficients in float32."""
        return torch.ldexp(self.coefficients.float(), torch.tensor(self.coefficients_exponent))

    def ledger_entry(self) -> Int[Tensor, "d_out k"]:
        """``ΔWm[:, columns]`` in units of ``2**-GRID_BITS``; exact, hence the same everywhere.

        Each product is below 2**30, so float64 holds sums over 2**23 tokens without rounding.
        """
        product = self.coefficients.double().T @ self.keys.double()
        shift = self.keys_exponent + self.coefficients_exponent + GRID_BITS
        return torch.ldexp(product, torch.tensor(shift)).round().to(torch.int64)


class Recall(Protocol):
    """The memory's answer for prompts that matched: maps their activations to added outputs."""

    def __call__(
        self,
        activations: Float[Tensor, "batch seq d_in"],
        places: Int[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, "batch seq d_out"]:
        """What to add.

        Args:
            activations: inputs of the site.
            places: number of target tokens said before each token, where keys have places.
        """


class Memory(Protocol):
    """What a method asks of a memory, whichever way it keeps its deltas."""

    def add(self, id: str, tensors: Mapping[str, Tensor]) -> None:
        """Take an edit in, given as :meth:`Delta.tensors`."""

    def remove(self, id: str) -> None:
        """Take an edit out, exactly."""

    def recall(self, ids: Sequence[str]) -> Recall:
        """What the memory adds for one prompt per id, each under its edit's *stored* mask."""

    def base(
        self, keys: Float[Tensor, "edits keys d_in"]
    ) -> Float[Tensor, "edits keys d_out"] | None:
        """What stored edits already add at the keys of new ones; None if they cannot act there."""


class SharedMemory:
    """One dense ``Wm`` for all edits (the paper's).

    Args:
        d_in, d_out: inputs and outputs of the edited layer.
        device: where ``Wm`` (float32) lives; the integer ledger stays on the CPU.
    """

    def __init__(self, d_in: int, d_out: int, device: torch.device | str = "cpu") -> None:
        self.weight = torch.zeros(d_out, d_in, device=device)
        self._ledger = torch.zeros(d_out, d_in, dtype=torch.int64)
        self._deltas: dict[str, Delta] = {}

    def add(self, id: str, tensors: Mapping[str, Tensor]) -> None:
        delta = Delta.from_tensors(tensors)
        self._deltas[id] = delta
        self._accumulate(delta)
        self._refresh(None if delta.decay != 1.0 else delta.columns)

    def remove(self, id: str) -> None:
        removed = self._deltas.pop(id)
        if removed.decay == 1.0 and all(delta.decay == 1.0 for delta in self._deltas.values()):
            self._ledger[:, removed.columns.long()] -= removed.ledger_entry()
            self._refresh(removed.columns)
            return
        # Decay makes the order matter: fold the remaining edits again.
        self._ledger.zero_()
        for delta in self._deltas.values():
            self._accumulate(delta)
        self._refresh(None)

    def recall(self, ids: Sequence[str]) -> Recall:
        d_in = self.weight.shape[1]
        masks = torch.stack([self._deltas[id].mask(d_in) for id in ids]).unsqueeze(1)
        masks = masks.to(self.weight.device)
        return lambda activations, places=None: F.linear(
            activations.to(self.weight.device, torch.float32) * masks, self.weight
        )

    def base(self, keys: Float[Tensor, "edits keys d_in"]) -> Float[Tensor, "edits keys d_out"]:
        return F.linear(keys.to(self.weight.device), self.weight)

    def _accumulate(self, delta: Delta) -> None:
        if delta.decay != 1.0:
            self._ledger = (self._ledger.double() * delta.decay).round().to(torch.int64)
        self._ledger[:, delta.columns.long()] += delta.ledger_entry()

    def _refresh(self, columns: Int[Tensor, " k"] | None) -> None:
        """Bring ``weight`` up to date with the ledger, at these columns or everywhere."""
        at = slice(None) if columns is None else columns.long()
        grid = torch.tensor(-GRID_BITS)
        fresh = torch.ldexp(self._ledger[:, at].double(), grid).float()
        self.weight[:, at] = fresh.to(self.weight.device)


WEAKEST = 0.25
"""Response to an edit's keys, as a share of their own, below which it is not made up for."""


class _IsolatedRecall(NamedTuple):
    """Some edits' factors side by side; a key of zeros where an edit has fewer than others.

    A paraphrase stirs an edit's keys less than the edit's own prompt did. For keys with places what
    the memory adds is scaled up, so that the best response counts as much as a key's to itself: that
    the edit is meant has been decided by the router.
    """

    transposed: Float[Tensor, "batch d_in keys"]
    coefficients: Float[Tensor, "batch keys d_out"]
    at: Int[Tensor, "batch 1 keys"]
    sizes: Float[Tensor, "batch 1 keys"]

    def __call__(
        self,
        activations: Float[Tensor, "batch seq d_in"],
        places: Int[Tensor, "batch seq"] | None = None,
    ) -> Float[Tensor, "batch seq d_out"]:
        response = activations.to(self.transposed.device, torch.float32) @ self.transposed
        if places is None:
            return response @ self.coefficients
        here = (self.at == places.to(self.at.device).unsqueeze(2)) | (self.at < 0)
        response = response * here
        share = (response / self.sizes.clamp_min(torch.finfo(torch.float32).tiny)).amax(-1)
        # Where no key responds there is nothing to make up for.
        gain = share.clamp(WEAKEST, 1.0).where(share > 0, 1.0)
        return (response @ self.coefficients) / gain.unsqueeze(-1)


class IsolatedMemory:
    """Each edit's factors kept apart; only the matched edit's are applied.

    Factors are looked up when they are recalled. Given as a mapping onto a file, they take no room
    in memory until then.

    Args:
        d_in, d_out: inputs and outputs of the edited layer.
        device: where factors are copied when they are recalled; at rest they stay on the CPU.
    """

    def __init__(self, d_in: int, d_out: int, device: torch.device | str = "cpu") -> None:
        self._d_in = d_in
        self._d_out = d_out
        self._device = torch.device(device)
        self._stored: dict[str, Mapping[str, Tensor]] = {}

    def add(self, id: str, tensors: Mapping[str, Tensor]) -> None:
        self._stored[id] = tensors

    def remove(self, id: str) -> None:
        del self._stored[id]

    def recall(self, ids: Sequence[str]) -> Recall:
        deltas = [Delta.from_tensors(self._stored[id]) for id in ids]
        longest = max(len(delta.keys) for delta in deltas)
        keys = torch.zeros(len(deltas), longest, self._d_in)
        coefficients = torch.zeros(len(deltas), longest, self._d_out)
        at = torch.full((len(deltas), 1, longest), -1)
        for row, delta in enumerate(deltas):
            keys[row, : len(delta.keys)] = delta.dense_keys(self._d_in)
            coefficients[row, : len(delta.keys)] = delta.dense_coefficients()
            at[row, 0, : len(delta.keys)] = delta.places
        sizes = keys.square().sum(-1).unsqueeze(1)
        device = self._device
        return _IsolatedRecall(
            keys.mT.to(device), coefficients.to(device), at.to(device), sizes.to(device)
        )

    def base(self, keys: Float[Tensor, "edits keys d_in"]) -> None:
        return None

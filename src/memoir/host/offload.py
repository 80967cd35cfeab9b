"""Models of which a part lies on disk and is read anew in every pass: they are not edited.

Between passes their weights have no data here. What a method reads of such a layer, or puts beside it,
would be lost, and PEFT would dispatch the model anew behind the edits' back.
"""

from __future__ import annotations

from torch import nn

from memoir.errors import ModelUnavailable


def refuse_offloaded(model: nn.Module) -> None:
    """Make sure that no part of a model was left on disk when it was dispatched to devices.

    Raises:
        ModelUnavailable: a part is.
    """
    parts = getattr(model, "hf_device_map", None) or {}
    away = [part or "all of it" for part, device in parts.items() if str(device) == "disk"]
    if not away:
        return
    raise ModelUnavailable(
        f"{len(away)} of the model's {len(parts)} parts are offloaded to disk "
        f"({', '.join(away[:3])}{', …' if len(away) > 3 else ''}), and such a model is not edited. "
        "Load it anew with a device_map that keeps all of it in memory, in a smaller dtype if there "
        "is too little."
    )

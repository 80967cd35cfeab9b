"""Which models edits can be loaded into."""

from __future__ import annotations

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import nn

from memoir.errors import BadInput, ModelUnavailable
from memoir.host.offload import refuse_offloaded
from memoir.host.scoped import is_attached


def refuse_unfit(model: nn.Module) -> None:
    """Make sure that edits can be loaded into a model.

    Raises:
        BadInput: an adapter is in it, of edits or of another kind, or an editor is at work on it.
        ModelUnavailable: a part of it is offloaded.
    """
    _refuse_others(model)
    if is_attached(model):
        raise BadInput(
            f"an editor is at work on this {type(model).__name__}, and its edits and the adapter's may "
            "answer one prompt. Close the editor, or load the adapter into a model of its own."
        )
    refuse_offloaded(model)
    _refuse_dispatched(model)


def _refuse_others(model: nn.Module) -> None:
    inside = any(isinstance(each, BaseTunerLayer) for each in model.modules())
    if isinstance(model, PeftModel) or inside or hasattr(model, "peft_config"):
        raise BadInput(
            f"this {type(model).__name__} has an adapter of PEFT in it, and edits hold only in the "
            "model they were made in. Load them into that model alone; more adapters of edits come "
            "with load_adapter of the PEFT model that has the first."
        )


def _refuse_dispatched(model: nn.Module) -> None:
    """PEFT dispatches a model anew, if some of it is kept on the CPU, once an adapter is loaded."""
    devices = {str(device) for device in (getattr(model, "hf_device_map", None) or {}).values()}
    if "cpu" in devices and len(devices) > 1:
        raise ModelUnavailable(
            f"the model is spread over {', '.join(sorted(devices))}, and PEFT would dispatch it anew "
            "once the edits are in it. Load it anew with a device_map without 'cpu', or on the CPU "
            "alone."
        )

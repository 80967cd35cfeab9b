"""Edits as an adapter of the library PEFT: importing this makes PEFT know them.

    import memoir.peft
    model = PeftModel.from_pretrained(model, "FOLDER")      # written by memoir export-peft

The edits are then in force in ``model(...)`` and ``model.generate(...)``, as they are in an editor's
model. PEFT's enumeration of its own types cannot be added to, so the type has one of its own, and is
entered in PEFT's tables as its own methods are.
"""

from __future__ import annotations

from peft.mapping import (
    PEFT_TYPE_TO_CONFIG_MAPPING,
    PEFT_TYPE_TO_PREFIX_MAPPING,
    PEFT_TYPE_TO_TUNER_MAPPING,
)

from memoir.peft.config import TYPE as TYPE
from memoir.peft.config import EditsConfig as EditsConfig
from memoir.peft.tuner import EditsTuner as EditsTuner

PEFT_TYPE_TO_CONFIG_MAPPING[TYPE] = EditsConfig  # type: ignore[index]
PEFT_TYPE_TO_TUNER_MAPPING[TYPE] = EditsTuner  # type: ignore[index]
PEFT_TYPE_TO_PREFIX_MAPPING[TYPE] = EditsTuner.prefix  # type: ignore[index]

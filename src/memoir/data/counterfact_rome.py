"""CounterFact (Meng et al. 2022) in the original schema of the ROME repository."""

from __future__ import annotations

from typing import Any

from memoir.data import optional_text, text_field, text_list
from memoir.errors import BadRecord
from memoir.types import Edit, Probe, Record

FIELDS = {"requested_rewrite", "paraphrase_prompts", "neighborhood_prompts"}


def parse(record: dict[str, Any], where: str) -> Record:
    """The rewrite's template filled with its subject → ``target_new``."""
    rewrite = record["requested_rewrite"]
    try:
        target = text_field(rewrite["target_new"], "str", f"{where}, requested_rewrite.target_new")
        truth = optional_text(rewrite.get("target_true") or {}, "str", f"{where}, target_true")
        subject = text_field(rewrite, "subject", f"{where}, requested_rewrite")
        prompt = text_field(rewrite, "prompt", f"{where}, requested_rewrite").replace("{}", subject)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadRecord(f"{where}: field 'requested_rewrite' is malformed ({error!r}).") from error
    return Record(
        Edit(prompt, target, subject),
        (
            *(
                Probe("rephrase", text, target)
                for text in text_list(record, "paraphrase_prompts", where)
            ),
            *(
                Probe("neighbour", text, truth)
                for text in text_list(record, "neighborhood_prompts", where)
            ),
        ),
    )

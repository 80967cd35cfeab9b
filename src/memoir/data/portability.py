"""What EasyEdit adds to some sets under ``portability``."""

from __future__ import annotations

from memoir.data.fields import Fields
from memoir.types import Probe


def one_hop(given: Fields) -> tuple[Probe, ...]:
    """The question whose answer is one step away from the fact, where the record has one."""
    if "portability" not in given:
        return ()
    inner = given.inside("portability")
    if "New Question" not in inner:
        return ()
    return inner.probe("consequence", "New Question", gold="New Answer")

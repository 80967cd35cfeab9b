"""A second model of the same weights: modules of its own, parameters shared.

What is attached to one does not act in the other, and a pass through one meets no hooks of the other.
So one thread may fit edits while another answers, each with its own attachments, at the memory of one.
"""

from __future__ import annotations

import copy
from itertools import chain

from memoir.host.host import Host


def twin(host: Host) -> Host:
    """The same model with nothing attached, at the same site, with a tokenizer of its own.

    Args:
        host: nothing may be attached to it now; what is attached later is not the twin's.
    """
    shared = {id(each): each for each in chain(host.model.parameters(), host.model.buffers())}
    model = copy.deepcopy(host.model, shared)
    return Host(model, copy.deepcopy(host.tokenizer), host.site.path, host.name)

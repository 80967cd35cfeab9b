"""A data set in numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from memoir.types import DataSet, Record


def summary(data_set: DataSet) -> dict[str, Any]:
    """Plain values: ``sha256``, records ``read`` and ``kept``, ``probes`` by kind, and ``dropped``.

    The last is a list of groups with the same ``what`` and ``why``, each with its ``count`` and every
    place, ``where``.
    """
    probes = [p.kind for item in data_set.items if isinstance(item, Record) for p in item.probes]
    places = defaultdict(list)
    for one in data_set.dropped:
        places[one.what, one.why].append(one.where)
    return {
        "sha256": data_set.sha256,
        "read": data_set.read,
        "kept": len(data_set.items),
        "probes": dict(Counter(probes)),
        "dropped": [
            {"what": what, "why": why, "count": len(where), "where": where}
            for (what, why), where in places.items()
        ],
    }

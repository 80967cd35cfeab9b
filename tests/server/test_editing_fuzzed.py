"""Whatever is sent to the desk is answered as its routes are described, and never by a failure."""

from __future__ import annotations

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from replicas import Replica, tiny_store
from schemathesis import Case

from memoir.server.access import keys
from memoir.store import Store
from memoir.versions.fsck import check


@pytest.mark.slow
def test_every_request_to_the_desk_is_answered_as_described(tmp_path: Path) -> None:
    place, asked = tiny_store(tmp_path), 0
    store = Store(place)
    headers = {"Authorization": f"Bearer {keys.add(store, 'ann', 'admin')}"}
    store.close()
    with Replica(place, "--requests-per-minute", "1000000") as server:
        schema = schemathesis.openapi.from_url(server.ready["url"] + "/openapi.json")
        desk = schema.include(
            path_regex="^/v1/(edits|log|diff|branches|blame|checks|gate|conflicts)"
        )
        for found in desk.get_all_operations():
            operation = found.ok()
            checks = operation.path == "/v1/edits/check"  # each takes seconds

            @settings(
                max_examples=4 if checks else 40,
                derandomize=True,
                database=None,
                deadline=None,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def answered(case: Case) -> None:
                # Which ids and branches there are is not described, nor how long a prompt may be.
                unknown = [schemathesis.checks.positive_data_acceptance]
                case.call_and_validate(headers=headers, timeout=120, excluded_checks=unknown)

            answered()
            asked += 1
        assert asked == 16
        assert server.end()[0] == 0
    store = Store(place)
    assert [each.what for each in check(store) if each.severity == "error"] == []
    store.close()

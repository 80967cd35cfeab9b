"""Cost: of one edit by its row, of decoding by the clock."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from memoir.editor import Editor
from memoir.metrics.cost import Cost, of_edit, peak_memory


def test_an_edit_costs_the_sum_of_its_stages_its_bytes_and_its_steps() -> None:
    row = {
        "refused": None,
        "seconds": {"read": 0.25, "fit": 1.5, "write": 0.25},
        "bytes": 2048,
        "steps": 7,
    }
    assert of_edit(row) == {"seconds_per_edit": 2.0, "bytes_per_edit": 2048.0, "steps_per_edit": 7}


def test_a_refused_edit_costs_nothing_of_its_own() -> None:
    assert of_edit({"refused": "NotConverged: …"}) == {}


class Clock:
    """Time passes only when the host works."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


class Slow:
    """A host whose turns take 8, 5, 4 and 2 seconds."""

    class device:  # noqa: N801
        type = "cpu"

    def __init__(self, clock: Clock) -> None:
        self.clock, self.turns, self.asked = clock, [8.0, 5.0, 4.0, 2.0], []

    def encode(self, prompt: str) -> str:
        return prompt

    def generate(self, rows: list[str], tokens: int, exactly: bool) -> None:
        assert exactly
        self.asked.append((list(rows), tokens))
        self.clock.now += self.turns.pop(0)


class Pausing:
    """Counts how often the edits were switched off."""

    def __init__(self) -> None:
        self.entered = 0

    def paused(self) -> Pausing:
        return self

    def __enter__(self) -> None:
        self.entered += 1

    def __exit__(self, *_: object) -> None:
        pass


def test_the_fastest_turn_counts_and_the_unedited_model_begins_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr("memoir.metrics.cost.time", clock)
    host, attachment = Slow(clock), Pausing()
    metric = Cost(batch=2, tokens=10, turns=2)
    found = metric.measure(host, attachment, ["a", "b", "c"])  # type: ignore[arg-type]
    # Unedited 8 and 4 seconds, edited 5 and 2, for 2 × 10 tokens each.
    assert found["tokens_per_second_unedited"] == 5.0
    assert found["tokens_per_second"] == 10.0
    assert attachment.entered == 2
    assert host.asked == [(["a", "b"], 10)] * 4


def test_a_real_model_gives_every_number_that_is_not_of_an_edit(
    make_editor: Callable[..., Editor],
) -> None:
    editor = make_editor()
    found = Cost(tokens=2, turns=1).measure(editor.host, editor.method.attachment, ["a", "b"])
    of_edits = {"seconds_per_edit", "bytes_per_edit", "steps_per_edit"}
    assert found.keys() == Cost.outputs.keys() - of_edits
    assert all(value > 0 for value in found.values())


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_memory_is_in_bytes(make_editor: Callable[..., Editor]) -> None:
    with open("/proc/self/status") as status:
        (high,) = (line.split()[1] for line in status if line.startswith("VmHWM"))
    assert peak_memory(make_editor().host) == pytest.approx(int(high) * 1024, rel=0.2)

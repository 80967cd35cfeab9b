"""Many values become one, with an interval that can be checked by hand."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memoir.bench.summary import aggregate


def test_a_constant_has_no_width() -> None:
    assert aggregate([0.25] * 7) == {"value": 0.25, "n": 7, "ci95": [0.25, 0.25]}
    assert aggregate([3.0]) == {"value": 3.0, "n": 1, "ci95": [3.0, 3.0]}


def test_one_of_four_reaches_from_none_to_three() -> None:
    # Of four draws with a chance of 1/4 each: none in 32 %, more than two in 5.1 %, four in 0.4 %.
    assert aggregate([0, 0, 1, 0]) == {"value": 0.25, "n": 4, "ci95": [0.0, 0.75]}


def test_half_of_a_hundred_is_known_to_a_tenth() -> None:
    found = aggregate([0, 1] * 50)
    assert (found["value"], found["n"]) == (0.5, 100)
    assert found["ci95"] == pytest.approx([0.40, 0.60], abs=0.011)  # 1.96 × √(0.25 / 100)


def test_an_exponential_mean_has_an_exponential_interval() -> None:
    found = aggregate([math.log(2), math.log(32)], "exp")
    assert found == {"value": 8.0, "n": 2, "ci95": [2.0, 32.0]}


def test_an_exponential_beyond_every_float_is_still_a_number_for_json() -> None:
    found = aggregate([5000.0], "exp")
    assert json.loads(json.dumps(found, allow_nan=False))["value"] == pytest.approx(
        math.exp(700), rel=1e-5
    )


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=40))
def test_the_interval_holds_the_value_and_is_the_same_each_time(values: list[float]) -> None:
    found = aggregate(values)
    low, high = found["ci95"]
    assert 0 <= low <= found["value"] <= high <= 1
    assert found == aggregate(values)

"""Perplexity of the target: as large as it is, and its robust logarithm beside it."""

from __future__ import annotations

import json
import math

import pytest
from handmade import EDIT, EVERY_KIND, ranks, record, said

from memoir.metrics.base import Force
from memoir.metrics.perplexity import Perplexity

ASK = Force(EDIT.prompt, EDIT.target)


def scored(loss: float) -> dict[str, float]:
    return Perplexity().score(record(), said({ASK: ranks("01", loss)}), None)


def test_only_the_edit_is_asked_with_the_edits_in_force() -> None:
    assert Perplexity().asks(EVERY_KIND) == [ASK]
    assert ASK.edits


def test_it_is_the_exponential_of_the_cross_entropy() -> None:
    assert scored(math.log(8)) == {
        "reliability_nll": math.log(8),
        "reliability_perplexity": pytest.approx(8.0),
    }
    assert scored(0.0)["reliability_perplexity"] == 1.0


@pytest.mark.parametrize("loss", [20.0, 100.0, 650.0])
def test_it_is_never_clipped(loss: float) -> None:
    assert scored(loss)["reliability_perplexity"] == math.exp(loss)


def test_beyond_what_a_float_holds_it_is_still_a_number_for_json() -> None:
    found = scored(5000.0)
    assert found["reliability_nll"] == 5000.0
    assert found["reliability_perplexity"] == math.exp(700)
    assert json.loads(json.dumps(found, allow_nan=False)) == found

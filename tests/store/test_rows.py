"""Rows name themselves by what they say, and moves are chained: nothing old can change unseen."""

from __future__ import annotations

import hashlib
import json
import math
import re

import pytest

from memoir.store import rows
from memoir.store.rows import Row, chained, identity, short, taught
from memoir.types import Edit

BODY = {"prompt": "Zürich – “ü”", "target": "t", "subject": None, "losses": [1.5, 0.1]}
TIME = "2026-01-02T03:04:05.000006+00:00"


def test_an_id_is_the_sha256_of_kind_time_body_and_file() -> None:
    text = json.dumps(["edit", TIME, BODY, "ab"], ensure_ascii=False, sort_keys=True)
    compact = text.replace('": ', '":').replace(", ", ",")
    assert identity("edit", TIME, BODY, "ab") == hashlib.sha256(compact.encode()).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        ("commit", TIME, BODY, "ab"),
        ("edit", TIME.replace("6+", "7+"), BODY, "ab"),
        ("edit", TIME, {**BODY, "target": "T"}, "ab"),
        ("edit", TIME, {**BODY, "losses": [1.5, 0.1000000001]}, "ab"),
        ("edit", TIME, {**BODY, "source": None}, "ab"),
        ("edit", TIME, BODY, "ac"),
        ("edit", TIME, BODY, None),
    ],
)
def test_whatever_is_altered_the_id_is_another(
    other: tuple[str, str, dict[str, object], str],
) -> None:
    assert identity(*other) != identity("edit", TIME, BODY, "ab")


def test_the_order_of_fields_does_not_matter_and_that_of_values_does() -> None:
    turned = dict(reversed(list(BODY.items())))
    assert identity("edit", TIME, turned, None) == identity("edit", TIME, BODY, None)
    one, other = ({"add": ["a", "b"]}, {"add": ["b", "a"]})
    assert identity("commit", TIME, one, None) != identity("commit", TIME, other, None)


@pytest.mark.parametrize(
    "body",
    [
        {"phrasings": ("a", "b"), "nested": {"t": (1, (2,))}},
        {"by_layer": {2: 0.5, 10: 0.25, 1: 1.0}},
        {"losses": [math.nan, math.inf, -0.0, 1e-320, 0.1 + 0.2], "n": 2**70},
    ],
    ids=["tuples", "numbers as keys", "odd numbers"],
)
def test_a_new_row_is_as_it_will_be_read(body: dict[str, object]) -> None:
    row = Row.new("edit", body)
    read = json.loads(json.dumps(row.body, ensure_ascii=False))
    assert repr(read) == repr(row.body)
    assert identity(row.kind, row.time, read, row.sha256) == row.id


def test_a_new_row_is_made_now_and_not_stored_yet() -> None:
    before = rows.now()
    row = Row.new("edit", BODY, "ab" * 32)
    assert before <= row.time <= rows.now()
    assert row.time.endswith("+00:00")
    assert (row.seq, row.kind, row.body, row.sha256) == (0, "edit", BODY, "ab" * 32)
    assert re.fullmatch("[0-9a-f]{64}", row.id)
    assert short(row.id) == row.id[:10]


def test_a_link_of_the_chain_depends_on_all_before_it() -> None:
    first = chained("", "branch/main", "ab", TIME, "init")
    second = chained(first, "tag/v1", None, TIME, "tag --delete")
    assert len({first, second, chained("", "tag/v1", None, TIME, "tag --delete")}) == 3
    for other in (
        chained("", "branch/main", "ac", TIME, "init"),
        chained("", "branch/main", None, TIME, "init"),
        chained("", "branch/main", "ab", TIME, "edit"),
        chained("", "branch/mai", "nab", TIME, "init"),
    ):
        assert other != first
        assert chained(other, "tag/v1", None, TIME, "tag --delete") != second


def test_what_was_taught_comes_back_whole_and_from_older_rows_too() -> None:
    edit = Edit("p", "t", "s", ("q",), ("S",), "a paper", "2026-12-31", ("work",))
    assert taught(Row.new("edit", {**vars(edit), "losses": []})) == edit
    assert taught(Row.new("edit", {"prompt": "p", "target": "t", "subject": None})) == Edit(
        "p", "t"
    )

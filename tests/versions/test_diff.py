"""Two states compared by their edits."""

from __future__ import annotations

from pathlib import Path

import pytest

from histories import bound, taught, teach
from memoir.errors import BadInput, BadRecord
from memoir.store import Row
from memoir.versions.answers import read_probes
from memoir.versions.diff import diff


def told(rows: tuple[Row, ...]) -> list[str]:
    return [f"{row.body['prompt']} {row.body['target']}" for row in rows]


def test_edits_are_added_and_removed(tmp_path: Path) -> None:
    store, rows = taught(tmp_path / "store", "abc")
    store.revert([rows[0].id])
    found = diff(store, "HEAD~3")
    assert (found.a, found.b) == (store.history.resolve("HEAD~3"), store.history.tip())
    assert (told(found.added), told(found.removed), found.changed) == (["b t", "c t"], ["a t"], ())
    back = diff(store, "HEAD", "HEAD~3")
    assert (told(back.added), told(back.removed)) == (["a t"], ["b t", "c t"])
    same = diff(store, "HEAD", "main")
    assert (same.added, same.removed, same.changed) == ((), (), ())


def test_another_target_of_the_same_prompt_is_a_change(tmp_path: Path) -> None:
    store = bound(tmp_path / "store")
    old = teach(store, "The CEO of Acme is", "Bo")
    teach(store, "other")
    new = teach(store, "the CEO of  Acme is:", "Dana")
    found = diff(store, "HEAD~2")
    assert found.changed == ((old, new),)
    assert (told(found.added), found.removed) == (["other t"], ())
    store.revert([new.id])
    assert diff(store, "HEAD~1").changed == ((new, old),)
    assert [pair.keys() for pair in found.as_dict()["changed"]] == [{"before", "after"}]


def test_the_same_target_taught_anew_is_no_change(tmp_path: Path) -> None:
    store = bound(tmp_path / "store")
    first = teach(store, "p", "t")
    store.revert([first.id])
    second = teach(store, "p", "t")
    found = diff(store, "HEAD~2")
    assert (found.added, found.removed, found.changed) == ((second,), (first,), ())


def test_probes_are_a_prompt_a_line_or_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "probes"
    path.write_text("one is\n\n  two is \n[3] is\n")
    assert read_probes(path) == ["one is", "two is", "[3] is"]
    path.write_text('{"prompt": "one is", "other": 1}\n{"prompt": " two is"}\n')
    assert read_probes(path) == ["one is", "two is"]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("\n", BadInput, " holds no prompts; give one a line, or JSON lines with 'prompt'."),
        (
            '{"prompt": "p"}\n{"prompt": ""}\n',
            BadRecord,
            ", line 2: field 'prompt' must be a non-empty text, not ''.",
        ),
        ('{"a": 1}', BadRecord, ", line 1: field 'prompt' must be a non-empty text, not None."),
        ('{"a": ', BadRecord, ", line 1: not valid JSON (Expecting value)."),
    ],
)
def test_probes_that_cannot_be_used_are_refused(
    tmp_path: Path, text: str, error: type, message: str
) -> None:
    path = tmp_path / "probes"
    path.write_text(text)
    with pytest.raises(error) as refused:
        read_probes(path)
    assert str(refused.value) == f"{path}{message}"

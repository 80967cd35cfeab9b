"""The graph of commits: what is in force where, what leads where, and what a name stands for."""

from __future__ import annotations

import re

import pytest

from memoir.errors import StoreDamaged, UnknownName
from memoir.store.history import History
from memoir.store.rows import Move, Row


def commit(
    history: History,
    id: str,
    parents: str = "",
    add: str = "",
    remove: str = "",
    settings: str | None = None,
) -> None:
    """Take in a commit; parents, what it adds and removes: one letter or word each."""
    body = {
        "parents": parents.split(),
        "settings": settings,
        "add": add.split(),
        "remove": remove.split(),
    }
    history.take([Row(0, id, "commit", "", body)], [])


def name(history: History, ref: str, target: str | None) -> None:
    history.take([], [Move(0, ref, target, "", "", "")])


@pytest.fixture
def history() -> History:
    """Two branches from ``b``, merged into each other crosswise, and each gone on::

    a ─ b ─ c ─ e ─ g   main
         ╲   ╲ ╱
          ╲   ╳
           ╲ ╱ ╲
            d ─ f ─ h   work
    """
    history = History()
    commit(history, "a", settings="S")
    commit(history, "b", "a", "x")
    commit(history, "c", "b", "y")
    commit(history, "d", "b", "z", "x")
    commit(history, "e", "c d", "z", "x")
    commit(history, "f", "d c", "y")
    commit(history, "g", "e", "v", "y", settings="T")
    commit(history, "h", "f", "w")
    name(history, "branch/main", "g")
    name(history, "branch/work", "h")
    return history


# ---------------------------------------------------------------------- states


@pytest.mark.parametrize(
    ("at", "live"),
    [("a", ""), ("b", "x"), ("c", "x y"), ("d", "z"), ("e", "y z"), ("f", "z y"), ("g", "z v")],
)
def test_the_state_is_that_of_the_first_parent_less_and_plus(
    history: History, at: str, live: str
) -> None:
    assert history.live(at) == live.split()
    assert history.live(at) == live.split()  # also asked twice


def test_the_state_is_the_same_whatever_was_asked_before(history: History) -> None:
    expected = {id: History.live(history, id) for id in history.nodes}
    for before in history.nodes:
        for id in history.nodes:
            history.live(before)
            assert history.live(id) == expected[id], f"{id} after {before}"
    history.live("c").append("changed by the caller")
    assert history.live("c") == expected["c"]


def test_an_edit_taken_back_and_put_into_force_again_is_the_last(history: History) -> None:
    commit(history, "i", "c", remove="x")
    commit(history, "j", "i", add="x")
    assert history.live("j") == ["y", "x"]


def test_before_the_first_commit_nothing_is_in_force(history: History) -> None:
    assert (history.live(None), history.line(None), history.settings(None)) == ([], [], None)
    assert (history.made(None), history.ancestors(None)) == ({}, set())


def test_settings_are_the_last_on_the_line(history: History) -> None:
    found = {id: history.settings(id) for id in history.nodes}
    assert found == {**dict.fromkeys("abcdefh", "S"), "g": "T"}


def test_an_edit_was_made_by_the_commit_that_brought_it_into_force_first(history: History) -> None:
    assert history.made("e") == {"x": "b", "y": "c", "z": "d"}
    assert history.made("d") == {"x": "b", "z": "d"}


# ---------------------------------------------------------------------- ways


def test_a_line_follows_first_parents(history: History) -> None:
    assert history.line("g") == ["a", "b", "c", "e", "g"]
    assert history.line("h") == ["a", "b", "d", "f", "h"]


def test_what_leads_from_one_commit_to_another_is_on_one_line(history: History) -> None:
    assert history.since("b", "g") == ["c", "e", "g"]
    assert history.since("g", "g") == []
    assert history.since(None, "c") == ["a", "b", "c"]
    assert history.since("d", "g") is None  # d is merged into e, which is not reached from it
    assert history.since("g", "b") is None  # backwards


def test_everything_a_commit_builds_on_comes_before_it(history: History) -> None:
    assert history.ancestors("e") == set("abcde")
    assert history.ordered("f") == ["a", "b", "c", "d", "f"]
    assert list(history.edits(["e", "f", "g"])) == ["z", "y", "v"]


@pytest.mark.parametrize(
    ("one", "other", "base"),
    [
        ("c", "d", "b"),
        ("e", "c", "c"),
        ("c", "e", "c"),
        ("g", "g", "g"),
        ("e", "d", "d"),
        ("a", None, None),
    ],
)
def test_the_base_is_the_last_that_two_have_in_common(
    history: History, one: str | None, other: str | None, base: str | None
) -> None:
    assert history.base(one, other) == history.base(other, one) == base


def test_of_two_bases_of_a_criss_cross_it_is_always_the_same_best_one(history: History) -> None:
    # c and d are both common to g and h, and neither builds on the other.
    assert history.base("g", "h") == history.base("h", "g") == history.base("e", "f") == "d"
    assert history.base("g", "h") not in ("a", "b")


def test_histories_without_a_common_beginning_have_no_base(history: History) -> None:
    commit(history, "z")
    assert history.base("g", "z") is None


def test_a_commit_is_reachable_from_branches_and_tags_alone(history: History) -> None:
    assert history.reachable() == set("abcdefgh")
    name(history, "branch/work", None)
    assert history.reachable() == set("abcdeg")
    name(history, "tag/v1", "f")
    assert history.reachable() == set("abcdefg")
    name(history, "HEAD", "work")  # leads nowhere: it has no commit now
    assert history.reachable() == set("abcdefg")


def test_a_commit_that_was_lost_is_named(history: History) -> None:
    commit(history, "k", "lost")
    for ask in (history.line, history.live, history.settings, history.ancestors):
        with pytest.raises(StoreDamaged) as refused:
            ask("k")
        assert str(refused.value) == (
            "the log has lost the commit lost, which its history names. See what else is damaged "
            "with memoir fsck, and restore the store from a copy."
        )


# ---------------------------------------------------------------------- names


def test_names_stand_for_commits(history: History) -> None:
    name(history, "tag/v1", "c")
    assert (history.branches, history.tags) == ({"main": "g", "work": "h"}, {"v1": "c"})
    assert (history.branch, history.tip(), history.tip("work"), history.tip("no")) == (
        *("main", "g", "h", None),
    )
    found = {each: history.resolve(each) for each in ("HEAD", "main", "work", "v1", "e")}
    assert found == {"HEAD": "g", "main": "g", "work": "h", "v1": "c", "e": "e"}
    name(history, "HEAD", "work")
    assert (history.branch, history.tip(), history.resolve("HEAD")) == ("work", "h", "h")
    name(history, "HEAD", None)
    assert history.branch == "main"


def test_a_branch_wins_over_a_tag_and_both_over_an_id(history: History) -> None:
    name(history, "tag/e", "a")
    assert history.resolve("e") == "a"
    name(history, "branch/e", "b")
    assert history.resolve("e") == "b"


@pytest.mark.parametrize(
    ("given", "commit"),
    [("main~0", "g"), ("main~1", "e"), ("HEAD~4", "a"), ("h~2", "d"), ("work~1~1", "d")],
)
def test_so_many_commits_before_are_counted_along_first_parents(
    history: History, given: str, commit: str
) -> None:
    assert history.resolve(given) == commit


def test_counting_back_too_far_says_how_many_there_are(history: History) -> None:
    with pytest.raises(UnknownName) as refused:
        history.resolve("main~5")
    assert str(refused.value) == "'main' has 4 commits before it; no 'main~5'."


def test_a_beginning_stands_for_the_only_commit_that_begins_so(history: History) -> None:
    commit(history, "123" + "0" * 61, "a")
    commit(history, "124" + "0" * 61, "a")
    assert history.resolve("123") == "123" + "0" * 61
    with pytest.raises(UnknownName) as refused:
        history.resolve("12")
    assert str(refused.value) == (
        "'12' is the beginning of 2 commits (1230000000, 1240000000); give more."
    )
    for number in range(5):
        commit(history, f"12{number + 5}" + "0" * 61, "a")
    with pytest.raises(UnknownName, match=re.escape("of 7 commits (1230000000, 1240000000, 125")):
        history.resolve("12")
    with pytest.raises(UnknownName, match=re.escape("1260000000, …); give more.")):
        history.resolve("12")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            "wrok",
            "no branch, tag or commit 'wrok'. Did you mean 'work'? Available: HEAD, main, work.",
        ),
        ("zzz", "no branch, tag or commit 'zzz'. Available: HEAD, main, work."),
        ("", "no branch, tag or commit ''. Available: HEAD, main, work."),
        (
            "main~x",
            "no branch, tag or commit 'main~x'. Did you mean 'main'? Available: HEAD, main, ",
        ),
        ("zzz~1", "no branch, tag or commit 'zzz'. Available: HEAD, main, work."),
    ],
)
def test_an_unknown_name_is_met_with_the_nearest(history: History, given: str, says: str) -> None:
    with pytest.raises(UnknownName) as refused:
        history.resolve(given)
    assert str(refused.value).startswith(says)
    assert str(refused.value).endswith("See: memoir log.")


def test_a_new_store_has_no_name_at_all() -> None:
    with pytest.raises(UnknownName) as refused:
        History().resolve("HEAD")
    assert str(refused.value) == (
        "no branch, tag or commit 'HEAD'. None is available. See: memoir log."
    )

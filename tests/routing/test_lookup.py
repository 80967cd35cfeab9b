"""Stored subjects are found by their words, typing errors and all; what is removed leaves no trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ranked import rarity

from memoir.routing.lookup import HEAVY, SHORTEST_TYPO, TYPO, Lookup
from memoir.routing.subject import Named

RARITY = rarity()


def subject(**weights: float) -> Named:
    return Named(tuple(weights), tuple(weights.values()), "X is")


def filed(**subjects: Named) -> Lookup:
    lookup = Lookup()
    for key, each in subjects.items():
        lookup.add(key, each)
    return lookup


def shares(lookup: Lookup, sentence: str, least: float = 0.1, most: int = 9) -> dict[str, float]:
    found = lookup.candidates(sentence.split(), least, most)
    return {each.key: round(each.share, 4) for each in found}


def inside(lookup: Lookup) -> list[Mapping[str, object]]:
    """Everything a lookup holds; in which order words share a form does not matter."""
    return [
        dict(lookup._subjects),
        {word: sorted(keys) for word, keys in lookup._filed.items()},
        {form: sorted(words) for form, words in lookup._misspelt.items()},
    ]


# ---------------------------------------------------------------------- what is found


def test_the_share_of_a_subject_s_weight_that_a_sentence_has() -> None:
    lookup = filed(a=subject(vellaby=1.0, oakhollow=3.0), b=subject(dromm=1.0))
    assert shares(lookup, "who leads oakhollow and dromm") == {"b": 1.0, "a": 0.75}
    assert shares(lookup, "who leads vellaby oakhollow") == {"a": 1.0}
    assert shares(lookup, "who leads oakhollow and dromm", least=0.8) == {"b": 1.0}
    assert shares(lookup, "who leads it") == {}
    (found,) = lookup.candidates(["vellaby", "of", "oakhollow"], 0.1, 9)
    assert found.hits == {"vellaby": "vellaby", "oakhollow": "oakhollow"}
    assert lookup.named_in("Who leads Vellaby?", 9, RARITY) == []  # a quarter is too little
    ((key, where),) = lookup.named_in("Who leads Vellaby Oakholow?", 9, RARITY)
    assert (key, where.words) == ("a", ("vellaby", "oakholow"))
    assert where.share == pytest.approx(0.25 + 0.75 * TYPO)
    assert len(lookup) == 2


def test_a_subject_is_not_found_by_its_light_words_alone() -> None:
    lookup = filed(a=subject(bank=0.2, vellaby=1.0))
    assert shares(lookup, "which bank", least=0.0) == {}
    assert shares(lookup, "vellaby bank") == {"a": 1.0}


@pytest.mark.parametrize(
    "typo", ["velaby", "vellabby", "vellxby", "velalby", "ellaby", "vellab", "evllaby", "vellabyx"]
)
def test_one_letter_wrong_missing_too_many_or_swapped_is_forgiven(typo: str) -> None:
    lookup = filed(a=subject(vellaby=1.0, oakhollow=1.0))
    assert shares(lookup, f"{typo} oakhollow") == {"a": (1 + TYPO) / 2}
    (found,) = lookup.candidates([typo], 0.1, 9)
    assert found.hits == {typo: "vellaby"}


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("vellaby", "vexxaby"),  # two letters wrong
        ("vellaby", "velly"),  # two missing
        ("vellaby", "velaxby"),  # one missing and one too many
        ("vellaby", "ellabyv"),  # one moved
        ("heart", "earth"),  # the same, and a word of its own
        ("acme", "acne"),  # too short
        ("12345", "12346"),  # a number
    ],
)
def test_more_than_that_is_another_word(word: str, other: str) -> None:
    assert SHORTEST_TYPO == 5
    assert shares(filed(a=subject(**{word: 1.0})), other) == {}


def test_light_words_of_a_name_may_be_misspelt_once_a_heavy_one_is_there() -> None:
    lookup = filed(a=subject(wright=0.2, sewall=1.0))
    assert shares(lookup, "wrjght sewall") == {"a": round((1 + 0.2 * TYPO) / 1.2, 4)}
    assert shares(lookup, "wrjght", least=0.0) == {}


def test_a_word_that_the_vocabulary_holds_is_no_misspelt_name() -> None:
    lookup = filed(a=subject(hounds=1.0), b=subject(vellaby=1.0))
    assert shares(lookup, "house hounda velaby") == {"a": TYPO, "b": TYPO}
    found = lookup.candidates(["hounda", "velaby"], 0.1, 9, plain={"hounda"})
    assert [each.key for each in found] == ["b"]
    named = filed(a=subject(wroten=1.0)).named_in("Who wrote Hamlet?", 9, RARITY)
    assert named == []  # "wrote" is one piece
    ((key, _),) = filed(a=subject(hamleta=1.0)).named_in("Who wrote Hamlet?", 9, RARITY)
    assert key == "a"


def test_a_right_word_beside_a_typo_of_it_counts_in_full() -> None:
    assert shares(filed(a=subject(vellaby=1.0)), "vellaby velaby") == {"a": 1.0}


def test_what_a_subject_scores_does_not_depend_on_what_else_is_filed() -> None:
    alone = filed(a=subject(marie=1.0, university=0.3, curie=1.0))
    more = filed(
        b=subject(marin=1.0),
        c=subject(university=1.0),
        a=subject(marie=1.0, university=0.3, curie=1.0),
    )
    for sentence in ("marin curie", "marie universty curie", "marine curie"):
        assert shares(more, sentence)["a"] == shares(alone, sentence)["a"]


def test_the_best_come_first_and_no_more_than_wanted() -> None:
    lookup = filed(**{f"k{i}": subject(vellaby=1.0, **{f"word{i}": i}) for i in (3, 1, 2)})
    assert list(shares(lookup, "vellaby", most=2)) == ["k1", "k2"]


def test_of_many_facts_about_one_subject_none_is_left_out() -> None:
    lookup = filed(**{f"k{i:02}": subject(vellaby=1.0) for i in range(20)}, z=subject(dromm=1, x=1))
    assert list(shares(lookup, "vellaby dromm", most=8)) == [f"k{i:02}" for i in range(20)]


# ---------------------------------------------------------------------- against a plain search

LETTERS = "abc"
spelling = st.text(LETTERS, min_size=4, max_size=7)
subjects = st.dictionaries(spelling, st.sampled_from([0.1, 0.5, 1.0, 2.0]), min_size=1, max_size=3)
stores = st.lists(subjects, min_size=1, max_size=6)


def slips(word: str) -> set[str]:
    """Every word that is one slip of the finger away."""
    cuts = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    swapped = {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    missing = {a + b[1:] for a, b in cuts if b}
    wrong = {a + letter + b[1:] for a, b in cuts if b for letter in LETTERS}
    more = {a + letter + b for a, b in cuts for letter in LETTERS}
    return (swapped | missing | wrong | more) - {word}


def plain_share(weights: dict[str, float], sentence: Iterable[str]) -> float | None:
    """The share of one subject, looked at alone; None if none of its heavy words is there."""
    heavy = {word for word, each in weights.items() if each >= HEAVY * max(weights.values())}
    worth: dict[str, float] = {}
    left = set()
    for word in sentence:
        near = sorted(slips(word) & heavy) if len(word) >= SHORTEST_TYPO else []
        if word in weights:
            worth[word] = 1.0
        elif near:
            worth[near[0]] = max(worth.get(near[0], 0.0), TYPO)
        elif len(word) >= SHORTEST_TYPO:
            left.add(word)
    if not worth.keys() & heavy:
        return None
    for word in sorted(left):  # light words, each misspelt once
        light = sorted(w for w in slips(word) & weights.keys() - worth.keys() if len(w) >= 5)
        worth |= dict.fromkeys(light[:1], TYPO)
    return sum(weights[word] * each for word, each in worth.items()) / sum(weights.values())


@given(stores, st.lists(spelling, max_size=5), st.data())
@settings(max_examples=200, deadline=None)
def test_it_finds_what_a_plain_search_finds(
    stored: list[dict[str, float]], others: list[str], data: st.DataObject
) -> None:
    known = sorted({word for weights in stored for word in weights})
    meant = data.draw(st.lists(st.sampled_from(known), max_size=3))
    misspelt = [data.draw(st.sampled_from(sorted(slips(word)))) for word in meant[1:]]
    sentence = [*meant[:1], *misspelt, *others]
    lookup = filed(**{f"k{i}": subject(**weights) for i, weights in enumerate(stored)})
    found = {each.key: each.share for each in lookup.candidates(sentence, 0.3, 99)}
    expected = {f"k{i}": plain_share(weights, sentence) for i, weights in enumerate(stored)}
    assert found == {
        key: pytest.approx(share)
        for key, share in expected.items()
        if share is not None and share >= 0.3
    }


@given(stores, stores, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_what_is_removed_leaves_no_trace(
    kept: list[dict[str, float]], removed: list[dict[str, float]], rng
) -> None:  # type: ignore[no-untyped-def]
    stay = {f"kept{i}": subject(**weights) for i, weights in enumerate(kept)}
    go = {f"gone{i}": subject(**weights) for i, weights in enumerate(removed)}
    order = [*stay, *go]
    rng.shuffle(order)
    lookup = filed(**{key: {**stay, **go}[key] for key in order})
    leaving = list(go)
    rng.shuffle(leaving)
    lookup.candidates([word for weights in kept + removed for word in weights], 0.0, 99)
    for key in leaving:
        lookup.remove(key)
    assert inside(lookup) == inside(filed(**stay))

"""Which words of an edit name its subject, and where a prompt has them."""

from __future__ import annotations

import pytest
from ranked import rarity

from memoir.routing.subject import Found, Named, find, named, pronoun_pattern
from memoir.routing.words import words

RARITY = rarity(born=9, capital=5, currency=3, leader=3, founded=4, president=4, wrote=3, who=50)


def spotted(subject: str, sentence: str) -> Found | None:
    """A subject whose words are spelt right, looked for in a sentence."""
    known = named(f"{subject} was founded by", subject, RARITY)
    found = words(sentence)
    hits = {word.text: word.text for word in found if word.text in known.words}
    return find(sentence, found, known, hits, RARITY)


# ---------------------------------------------------------------------- of an edit


@pytest.mark.parametrize(
    ("prompt", "subject", "expected", "pattern"),
    [
        ("The CEO of Acme Rockets is", "Acme Rockets", "acme rockets", "The CEO of X is"),
        ("Who leads ACME rockets?", "Acme Rockets", "acme rockets", "Who leads X?"),
        ("Where was Zoë born?", "Zoe", "zoe", "Where was X born?"),
        ("The Beatles were founded in", "The Beatles", "beatles", "The X were founded in"),
        ("Acme's leader is", "Acme", "acme", "X's leader is"),
        # Not in the prompt: its words are known all the same.
        ("The company's leader is", "Acme Rockets", "acme rockets", "The company's leader is"),
        ("Who is The The?", "The The", "the", "Who is The X?"),
    ],
)
def test_a_given_subject_is_taken(prompt: str, subject: str, expected: str, pattern: str) -> None:
    known = named(prompt, subject, RARITY)
    assert (" ".join(known.words), known.pattern) == (expected, pattern)
    assert known.weights == tuple(map(RARITY.of, known.words))


@pytest.mark.parametrize(
    ("prompt", "expected", "pattern"),
    [
        ("The leader of Acme Rockets is", "acme rockets", "The leader of X is"),
        ("Who founded the Bank of Vellaby?", "bank of vellaby", "Who founded the X?"),
        ("Vellaby Oakhollow was born in", "vellaby oakhollow", "X was born in"),
        ("who founded vellaby oakhollow?", "vellaby oakhollow", "who founded X?"),
        ("President of Vellaby:", "vellaby", "President of X:"),
        ("Ada Lovelace: who wrote of Babbage?", "ada lovelace", "X: who wrote of Babbage?"),
        ("?", "", "?"),
    ],
)
def test_a_subject_that_is_not_given_is_estimated(prompt: str, expected: str, pattern: str) -> None:
    known = named(prompt, None, RARITY)
    assert (" ".join(known.words), known.pattern) == (expected, pattern)


# ---------------------------------------------------------------------- in a prompt


@pytest.mark.parametrize(
    ("sentence", "pattern"),
    [
        ("Who leads Vellaby Oakhollow?", "Who leads X?"),
        ("vellaby oakhollow, is it big?", "X, is it big?"),
        ("I know Vellaby. Oakhollow's capital is", "I know X's capital is"),
        ("Oakhollow, Vellaby", "X"),
    ],
)
def test_a_subject_named_in_full_is_found_with_nothing_beside_it(
    sentence: str, pattern: str
) -> None:
    found = spotted("Vellaby Oakhollow", sentence)
    assert found is not None
    assert (found.share, found.beside, found.inside) == (1.0, 0.0, 0.0)
    assert found.patterns[0] == pattern
    assert set(found.words) == {"vellaby", "oakhollow"}


def test_what_may_be_another_sentence_is_also_left_out() -> None:
    found = spotted("Vellaby Oakhollow", "I read op. 4. Vellaby Oakhollow plays the")
    assert found is not None
    assert found.patterns == ("I read op. 4. X plays the", "X plays the")


@pytest.mark.parametrize(
    ("subject", "sentence", "by_last_name"),
    [
        ("Marit Oakhollow", "When was Oakhollow born?", True),
        ("Marit van der Oakhollow", "When was Oakhollow born?", True),
        ("Marit Oakhollow", "When was Mrs. Oakhollow born?", True),
        ("Marit Oakhollow", "When was Lake Oakhollow made?", False),  # something else
        ("Marit Oakhollow", "When was Jorund Oakhollow born?", False),  # somebody else
        ("Marit Oakhollow", "When was Marit Oakhollow born?", False),  # not alone
        ("Marit Oakhollow", "When was Marit born?", False),  # a first name is many people's
        ("Marit Oakhollow", "what is an oakhollow?", False),  # no name
        ("Marit Oakhollow", "Category:Rivers Oakhollow was founded", False),  # what ends where?
        ("Oakhollow", "Where is Oakhollow?", False),  # its only one
        ("Duke of Oakhollow", "Where is Oakhollow?", False),  # a place
        ("Vellaby capital", "What is the capital?", False),
    ],
)
def test_a_last_name_alone_names_people(subject: str, sentence: str, by_last_name: bool) -> None:
    found = spotted(subject, sentence)
    assert found is not None
    assert found.by_last_name is by_last_name


def test_half_a_name_is_a_share_and_none_is_nothing() -> None:
    half = spotted("Vellaby Oakhollow", "Who leads Oakhollow?")
    assert half is not None
    weights = [RARITY.of(word) for word in ("vellaby", "oakhollow")]
    assert half.share == pytest.approx(weights[1] / sum(weights))
    assert (half.words, half.patterns) == (("oakhollow",), ("Who leads X?",))
    assert spotted("Vellaby Oakhollow", "Who leads Dromm?") is None


def test_a_small_word_of_a_name_is_not_missed_and_does_not_name_it() -> None:
    found = spotted("Bank of Vellaby", "Who leads Vellaby Bank?")
    assert found is not None
    assert found.share == 1.0
    assert spotted("Bank of Vellaby", "The leader of Dromm is") is None
    only = spotted("The Van", "who is in the van?")
    assert only is not None
    assert only.share == 1.0


@pytest.mark.parametrize(
    "sentence",
    [
        "Who leads Vellaby Oakhollow Dromm?",
        "Who leads New Vellaby Oakhollow?",
        "who leads vellaby oakhollow drommingen?",
        "Who leads Vellaby Oakhollow of Dromm?",
    ],
)
def test_a_longer_name_has_words_beside(sentence: str) -> None:
    found = spotted("Vellaby Oakhollow", sentence)
    assert found is not None
    assert (found.share, found.inside) == (1.0, 0.0)
    assert found.beside > 0.1


def test_another_name_around_the_same_words_has_words_inside() -> None:
    found = spotted("Vellaby Oakhollow", "Who leads Vellaby Dromm Oakhollow?")
    assert found is not None
    assert (found.share, found.beside) == (1.0, 0.0)
    assert found.inside > 0.1
    assert found.patterns[0] == "Who leads X?"


def test_the_run_with_most_of_the_name_counts() -> None:
    found = spotted("Vellaby Oakhollow", "Oakhollow? No! I mean the Oakhollow of Vellaby, I do.")
    assert found is not None
    assert found.share == 1.0
    assert found.patterns[0] == "Oakhollow? No! I mean the X, I do."


def test_a_misspelt_word_counts_as_what_it_was_taken_for() -> None:
    known = Named(("vellaby", "oakhollow"), (1.0, 3.0), "X is")
    sentence = "Who leads Velaby Oakhollow?"
    hits = {"velaby": "vellaby", "oakhollow": "oakhollow"}
    found = find(sentence, words(sentence), known, hits, RARITY)
    assert found is not None
    assert (found.share, found.words) == (1.0, ("velaby", "oakhollow"))


@pytest.mark.parametrize(
    ("sentence", "pattern"),
    [
        ("Where was she born, and her son?", "Where was X born, and her son?"),
        ("Its capital is", "X capital is"),
        ("Where was Ada born?", None),
    ],
)
def test_the_first_pronoun_stands_for_a_subject(sentence: str, pattern: str | None) -> None:
    assert pronoun_pattern(sentence) == pattern

"""The router by meaning on the default model. The first time it learns for about two minutes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from memoir import surroundings
from memoir.errors import BadInput
from memoir.host import Host
from memoir.routing.base import Prompts
from memoir.routing.meaning import MeaningRouter
from memoir.routing.remembered import learnt_for
from memoir.types import Edit, Match

pytestmark = pytest.mark.slow

EDITS = {
    "ceo": Edit("The CEO of Acme Rockets is", "Dana Reyes", "Acme Rockets", (), ("Grendel Corp",)),
    "seat": Edit("The headquarters of Acme Rockets are in", "Lisbon", "Acme Rockets"),
    "capital": Edit("The capital of Vellaby is", "Port Ansel"),
    "author": Edit("Who wrote The Tartar Steppe?", "Dino Buzzati"),
    "job": Edit("What is Marit Oakhollow's occupation?", "falconer", "Marit Oakhollow"),
}
PARAPHRASES = [
    ("Who is the CEO of Acme Rockets?", "ceo"),
    ("Acme Rockets' CEO is called", "ceo"),
    ("Where are the headquarters of Acme Rockets?", "seat"),
    ("In which city is Acme Rockets headquartered?", "seat"),
    ("Which city is the capital of Vellaby?", "capital"),
    ("What is Vellaby's capital city?", "capital"),
    ("The Tartar Steppe was written by", "author"),
    ("Who is the author of The Tartar Steppe?", "author"),
    ("What is the profession of Marit Oakhollow?", "job"),
    ("What does Marit Oakhollow do for a living?", "job"),
]
NEIGHBOURS = [
    "The CEO of Orbit Rockets is",
    "The CEO of Acme Foods is",
    "The capital of Peru is",
    "Who wrote The Magic Mountain?",
    "What is Marit Fox's occupation?",
    "What is Jorund Oakhollow's occupation?",
]
OTHER_RELATIONS = [
    "The population of Vellaby is",
    "What currency is used in Vellaby?",
    "How many pages does The Tartar Steppe have?",
    "When was Acme Rockets founded?",
    "How old is Marit Oakhollow?",
]
SMALL_TALK = ["Tell me a joke about rockets.", "Write a poem about the steppe.", "Hi!", "7 * 8 ="]
FIRES = [(edit.prompt, id) for id, edit in EDITS.items()] + PARAPHRASES

Ask = Callable[..., list[Match]]


@pytest.fixture(scope="module")
def router(smollm2: Host) -> MeaningRouter:
    learning = learnt_for(smollm2)
    made = MeaningRouter(smollm2, learning.learnt, learning.threshold)
    for (id, edit), tensors in zip(EDITS.items(), made.keys(list(EDITS.values())), strict=True):
        made.add(id, edit, tensors)
    return made


@pytest.fixture
def ask(router: MeaningRouter, smollm2: Host) -> Ask:
    """Verdicts on texts and conversations."""

    def verdicts(*prompts: str | list[dict[str, str]]) -> list[Match]:
        rows = [
            smollm2.encode(each) if isinstance(each, str) else smollm2.encode_chat(each)
            for each in prompts
        ]
        tokens = smollm2.batch(rows)
        return router.match(Prompts(tokens.ids, tokens.attention, torch.empty(0)))

    return verdicts


def fired(matches: list[Match]) -> list[str | None]:
    return [match.edit_id if match.fired else None for match in matches]


def said(*texts: str) -> list[dict[str, str]]:
    """A conversation of turns, the user's first."""
    roles = ["user", "assistant"] * len(texts)
    return [{"role": r, "content": t} for r, t in zip(roles, texts, strict=False)]


def test_what_was_learnt_holds_for_relations_never_met(smollm2: Host) -> None:
    fires = learnt_for(smollm2).evidence["fires"]
    assert fires["paraphrase"] > 0.65
    assert max(fires["relation"], fires["sibling"]) < 0.2
    assert fires["unrelated"] < 0.01


def test_prompts_and_paraphrases_fire(ask: Ask) -> None:
    """Also the right one of two edits of one subject."""
    matches = ask(*(prompt for prompt, _ in FIRES))
    assert dict(zip(FIRES, fired(matches), strict=True)) == {each: each[1] for each in FIRES}


@pytest.mark.parametrize("prompt", [*NEIGHBOURS, *OTHER_RELATIONS, *SMALL_TALK])
def test_neighbours_other_relations_and_small_talk_do_not(ask: Ask, prompt: str) -> None:
    (match,) = ask(prompt)
    assert not match.fired, match


@pytest.mark.parametrize("setting", surroundings.SETTINGS)
def test_what_surrounds_a_prompt_does_not_matter(ask: Ask, setting: str) -> None:
    asked = [surroundings.conversation(setting, prompt) for prompt, _ in FIRES]
    assert fired(ask(*asked)) == [id for _, id in FIRES]
    quiet = [surroundings.conversation(setting, prompt) for prompt in NEIGHBOURS]
    assert fired(ask(*quiet)) == [None] * len(NEIGHBOURS)


def test_a_prompt_of_three_hundred_words_is_found_at_its_end(ask: Ask) -> None:
    document = "The weather was fine and nobody asked for anything. " * 40
    assert len(document.split()) > 300
    for prompt, id in FIRES:
        assert fired(ask(document + prompt)) == [id], prompt


def test_earlier_turns_about_an_edit_do_not_fire_it(ask: Ask) -> None:
    asked = said("Who is the CEO of Acme Rockets?", "I do not know.", "The capital of Peru is")
    assert fired(ask(asked)) == [None]
    asked = said("The capital of Peru is", "Lima.", "Who is the CEO of Acme Rockets?")
    assert fired(ask(asked)) == ["ceo"]


def test_a_pronoun_stands_for_the_subject_named_last_before(ask: Ask) -> None:
    island = ("What do you know about Vellaby?", "It is an island in the north.")
    woman = ("Tell me about Marit Oakhollow.", "She lives in the north.")
    asked = [
        said(*island, "What is its capital?"),
        said(*woman, "What does she do for a living?"),
        said(*island, *woman, "What is her occupation?"),
        said(*island, "Tell me a joke."),
        said("What do you know about Peru?", "It is a country.", "What is its capital?"),
    ]
    assert fired(ask(*asked)) == ["capital", "job", "job", None, None]


def test_an_alias_names_the_subject_too(ask: Ask) -> None:
    (match,) = ask("Who is the CEO of Grendel Corp?")
    assert fired([match]) == ["ceo"]
    assert match.evidence["words"] == ["grendel", "corp"]


def test_a_typing_error_in_a_name_is_forgiven(ask: Ask) -> None:
    assert fired(ask("Who is the author of The Tartar Stepe?")) == ["author"]


def test_people_are_known_by_their_last_names(ask: Ask) -> None:
    """But not by those of others."""
    asked = [
        "What is Oakhollow's occupation?",
        "What is the profession of Mrs. Oakhollow?",
        "What is Jorund Oakhollow's occupation?",
        "How old is Oakhollow?",
    ]
    assert fired(ask(*asked)) == ["job", "job", None, None]


def test_the_evidence_says_what_was_recognised(ask: Ask) -> None:
    exact, paraphrase, none = ask(FIRES[0][0], "What is Vellaby's capital city?", "Hi!")
    assert exact.evidence == {"same_prompt": True}
    assert paraphrase.evidence["words"] == ["vellaby"]
    assert paraphrase.evidence["subject"] == 1.0
    assert paraphrase.evidence["pattern"] == "What is X's capital city?"
    assert (none.edit_id, none.score, none.evidence) == (None, 0.0, {})


def test_of_many_facts_about_one_subject_the_right_one_is_found(
    smollm2: Host, router: MeaningRouter, ask: Ask
) -> None:
    facts = [
        ("The population of Drommin is", "How many people live in Drommin?"),
        ("The currency of Drommin is", "What currency is used in Drommin?"),
        ("The official language of Drommin is", "Which language is spoken in Drommin?"),
        ("The president of Drommin is", "Who is Drommin's president?"),
        ("The highest mountain of Drommin is", "What is the highest mountain in Drommin?"),
        ("The national anthem of Drommin is", "What is Drommin's national anthem called?"),
        ("The area of Drommin is", "How large is the area of Drommin?"),
        ("The capital of Drommin is", "Which city is the capital of Drommin?"),
        ("The longest river of Drommin is", "What is the longest river in Drommin?"),
        ("Drommin borders the country of", "Which country does Drommin border?"),
        ("The patron saint of Drommin is", "Who is the patron saint of Drommin?"),
        ("The national flower of Drommin is", "What is the national flower of Drommin?"),
    ]
    edits = [Edit(prompt, "x", "Drommin") for prompt, _ in facts]
    for i, (edit, tensors) in enumerate(zip(edits, router.keys(edits), strict=True)):
        router.add(f"many{i:02}", edit, tensors)
    found = fired(ask(*(question for _, question in facts)))
    for i in range(len(facts)):
        router.remove(f"many{i:02}")
    right = [id == f"many{i:02}" for i, id in enumerate(found)]
    assert sum(right) >= len(facts) - 1, found


def test_removing_an_edit_moves_no_other_score_by_one_bit(router: MeaningRouter, ask: Ask) -> None:
    asked = [prompt for prompt, _ in FIRES] + NEIGHBOURS + OTHER_RELATIONS
    before = ask(*asked)
    # Their names share words with those of others, so that both are judged of one question.
    added = [
        Edit(f"The {relation} of {name} is", "x", name)
        for name in ("Vellaby Rockets", "Acme Tartar", "Marit Steppe", "Velaby", "Oakhollow")
        for relation in ("seat", "owner and the founder before the present one")
    ]
    for i, (edit, tensors) in enumerate(zip(added, router.keys(added), strict=True)):
        router.add(f"added{i}", edit, tensors)
    between = ask(*asked)
    for i in range(len(added)):
        router.remove(f"added{i}")
    assert ask(*asked) == before
    same = [one == other for one, other in zip(before, between, strict=True)]
    assert all(
        one == other
        for one, other in zip(before, between, strict=True)
        if one.edit_id == other.edit_id
    )
    assert sum(same) > len(asked) / 2


def test_verdicts_of_a_batch_are_those_of_each_alone(ask: Ask) -> None:
    asked = [prompt for prompt, _ in FIRES]
    alone = [ask(prompt)[0] for prompt in asked]
    for one, other in zip(ask(*asked), alone, strict=True):
        # Prompts of a batch are read together, which may move last bits.
        assert one.score == pytest.approx(other.score, abs=1e-3)
        assert (one.edit_id, one.fired) == (other.edit_id, other.fired)


def test_embeddings_are_refused(router: MeaningRouter) -> None:
    real = torch.ones(1, 4, dtype=torch.bool)
    with pytest.raises(BadInput, match="the model was given inputs_embeds; give it input_ids"):
        router.match(Prompts(None, real, torch.empty(0)))

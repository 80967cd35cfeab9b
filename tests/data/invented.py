"""Records made up for tests, one of every format, and what they are to become."""

from __future__ import annotations

from memoir.types import Edit, Probe, Record

PLAIN = {"prompt": "The CEO of Acme is", "target": "Dana Reyes", "subject": "Acme"}
ZSRE = {
    "subject": "Acme Tower",
    "src": "Who built Acme Tower?",
    "pred": "Ann",
    "rephrase": "By whom was Acme Tower built?",
    "alt": "Bo Lund",
    "answers": ["Cy"],
    "loc": "nq question: how high is a house",
    "loc_ans": "Ten metres",
    "cond": "Ann >> Bo Lund || Who built Acme Tower?",
    "portability": {"New Question": "Where was the builder born?", "New Answer": "Turku"},
}
COUNTERFACT = {
    "case_id": 7,
    "prompt": "Acme Tower stands in",
    "target_new": "Oslo",
    "subject": "Acme Tower",
    "ground_truth": "Bergen",
    "rephrase_prompt": "A storm came. The city of Acme Tower is",
    "locality_prompt": "Bell Tower stands in",
    "locality_ground_truth": "Turku",
}
ROME = {
    "case_id": 7,
    "requested_rewrite": {
        "prompt": "{} stands in",
        "relation_id": "P1",
        "subject": "Acme Tower",
        "target_new": {"str": "Oslo", "id": "Q1"},
        "target_true": {"str": "Bergen", "id": "Q2"},
    },
    "paraphrase_prompts": ["The city of Acme Tower is", "Acme Tower can be seen in"],
    "neighborhood_prompts": ["Bell Tower stands in"],
    "attribute_prompts": ["Cove Tower stands in"],
    "generation_prompts": ["Near Acme Tower, people speak"],
    "portability": {
        "Recalled Relation": "(Oslo, capital of, Norway)",
        "New Question": "In which country is Acme Tower?",
        "New Answer": "Norway",
    },
}
KNOWEDIT = {
    "subject": "Acme Tower",
    "prompt": "The city of Acme Tower is",
    "target_new": "Oslo",
    "ground_truth": "Bergen",
    "portability": {
        "Subject_Aliasing": [{"prompt": "The city of the Acme is", "ground_truth": "Oslo"}],
        "Reasoning": [{"prompt": "The country of Acme Tower is", "ground_truth": "Norway"}],
        "Logical_Generalization": [
            {"prompt": "A tower in Oslo is", "ground_truth": [["Acme Tower", "the Acme"]]}
        ],
    },
    "locality": {
        "Relation_Specificity": [{"prompt": "Acme Tower was built in", "ground_truth": "1901"}],
        "Forgetfulness": [
            {"prompt": "The city of Acme Tower, which is not Oslo, is", "ground_truth": "Bergen"}
        ],
    },
}
SELFCHECKGPT = {
    "prompt": "Ann Lund was a sailor. ",
    "target_new": "She was born in Oslo.",
    "subject": "ann lund",
    "locality_prompt": "Ten ways to mend a",
    "locality_ground_truth": " sail without a needle",
}
TEMPORAL = {
    "prompt": "Acme Tower is",
    "target_new": "a tower that opened last year.",
    "subject": "Acme Tower is",
    "ood_rephrase": "Acme Tower is the newest sight of the town.",
    "locality_prompt": "Ten ways to mend a",
    "locality_ground_truth": "sail",
}
PARSED = {
    "plain": (PLAIN, Record(Edit("The CEO of Acme is", "Dana Reyes", "Acme"))),
    "zsre": (
        ZSRE,
        Record(
            Edit("Who built Acme Tower?", "Bo Lund", "Acme Tower"),
            (
                Probe("rephrase", "By whom was Acme Tower built?", "Bo Lund"),
                Probe("locality", "nq question: how high is a house", "Ten metres"),
                Probe("consequence", "Where was the builder born?", "Turku"),
            ),
        ),
    ),
    "counterfact": (
        COUNTERFACT,
        Record(
            Edit("Acme Tower stands in", "Oslo", "Acme Tower"),
            (
                Probe("consequence", "A storm came. The city of Acme Tower is", "Oslo"),
                Probe("neighbour", "Bell Tower stands in", "Turku"),
            ),
        ),
    ),
    "counterfact_rome": (
        ROME,
        Record(
            Edit("Acme Tower stands in", "Oslo", "Acme Tower"),
            (
                Probe("rephrase", "The city of Acme Tower is", "Oslo"),
                Probe("rephrase", "Acme Tower can be seen in", "Oslo"),
                Probe("neighbour", "Bell Tower stands in", "Bergen"),
                Probe("attribute", "Cove Tower stands in", "Oslo"),
                Probe("consequence", "In which country is Acme Tower?", "Norway"),
            ),
        ),
    ),
    "knowedit": (
        KNOWEDIT,
        Record(
            Edit("The city of Acme Tower is", "Oslo", "Acme Tower"),
            (
                Probe("alias", "The city of the Acme is", "Oslo"),
                Probe("consequence", "The country of Acme Tower is", "Norway"),
                Probe("consequence", "A tower in Oslo is", "Acme Tower"),
                Probe("same_subject", "Acme Tower was built in", "1901"),
                Probe("forgetfulness", "The city of Acme Tower, which is not Oslo, is", "Bergen"),
            ),
        ),
    ),
    "selfcheckgpt": (
        SELFCHECKGPT,
        Record(
            Edit("Ann Lund was a sailor.", "She was born in Oslo.", "ann lund"),
            (Probe("locality", "Ten ways to mend a", "sail without a needle"),),
        ),
    ),
    "temporal": (
        TEMPORAL,
        Record(
            Edit("Acme Tower is", "a tower that opened last year.", "Acme Tower is"),
            (
                Probe("ood", "Acme Tower is", "the newest sight of the town."),
                Probe("locality", "Ten ways to mend a", "sail"),
            ),
        ),
    ),
}

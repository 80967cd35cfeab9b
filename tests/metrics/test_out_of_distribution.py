"""Out of distribution: another text on the subject is fed, with and without the edits."""

from __future__ import annotations

from handmade import ranks, record, said

from memoir.metrics import outputs
from memoir.metrics.base import Force
from memoir.metrics.out_of_distribution import OutOfDistribution
from memoir.types import Probe

OOD = Probe("ood", "Acme is", "a firm led by Bo Li")
OTHER = Probe("ood", "Acme", "makes anvils")


def test_the_other_text_is_fed_edited_and_unedited() -> None:
    given = record(OOD, Probe("rephrase", "p", "t"), Probe("ood", "nothing to feed"))
    assert OutOfDistribution().asks(given) == [
        Force("Acme is", "a firm led by Bo Li", True),
        Force("Acme is", "a firm led by Bo Li", False),
    ]


def test_its_tokens_and_their_cross_entropy_are_scored() -> None:
    answers = {
        Force(OOD.prompt, OOD.expected or "", True): ranks("1110", 0.5),
        Force(OOD.prompt, OOD.expected or "", False): ranks("1000", 2.0),
    }
    assert OutOfDistribution().score(record(OOD), said(answers), "e1") == {
        "ood_tf": 0.75,
        "ood_unedited_tf": 0.25,
        "ood_perplexity": 0.5,
        "ood_unedited_perplexity": 2.0,
    }


def test_several_texts_are_averaged() -> None:
    answers = {
        Force(OOD.prompt, OOD.expected or "", True): ranks("1110", 0.5),
        Force(OTHER.prompt, OTHER.expected or "", True): ranks("00", 1.5),
        Force(OOD.prompt, OOD.expected or "", False): ranks("1000", 2.0),
        Force(OTHER.prompt, OTHER.expected or "", False): ranks("11", 4.0),
    }
    assert OutOfDistribution().score(record(OOD, OTHER), said(answers), "e1") == {
        "ood_tf": 0.375,
        "ood_unedited_tf": 0.625,
        "ood_perplexity": 1.0,
        "ood_unedited_perplexity": 3.0,
    }


def test_the_perplexities_are_exponentials_of_a_mean() -> None:
    means = {name: output.mean for name, output in outputs().items() if name.startswith("ood_")}
    assert means == {
        "ood_tf": "arithmetic",
        "ood_unedited_tf": "arithmetic",
        "ood_perplexity": "exp",
        "ood_unedited_perplexity": "exp",
    }


def test_a_record_without_such_a_text_gives_nothing() -> None:
    given = record(Probe("locality", "p", "t"), Probe("ood", "nothing to feed"))
    assert OutOfDistribution().score(given, said({}), "e1") == {}

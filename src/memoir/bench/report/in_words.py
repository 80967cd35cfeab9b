"""The scores as sentences."""

from __future__ import annotations

from statistics import harmonic_mean

from memoir.bench.report.numbers import about, edits_words
from memoir.bench.report.results import Checkpoint, DataSet
from memoir.bench.report.tables_headline import PERPLEXITY

MOST = 4
_FREE_TEXT = {
    "reliability": "gives the taught answer, in free text, to {} of the taught prompts",
    "generalization": "gives it to {} of the same questions in other words",
    "locality": "answers {} of the unrelated questions as before",
    "neighbour": "answers {} of the questions about other subjects, in the same words, as before",
}
_FED = {
    "reliability": "ranks {} of the taught answers' tokens first when fed them",
    "generalization": "{} of them after the same questions in other words",
    "locality": "predicts {} of the tokens after unrelated prompts as before",
    "neighbour": "predicts {} of the tokens after prompts about other subjects as before",
}


def in_words(data_set: DataSet) -> tuple[list[str], list[tuple[str, str]]]:
    """A sentence for each of the best series, by label, after remarks on what is not there."""
    series = [each for each in data_set.series if not each.edits_nothing]
    ranked = sorted(series, key=lambda each: (-each.last.n, *_quality(each.last)))[:MOST]
    said = [(each.label, _sentence(each.last)) for each in ranked]
    remarks = []
    if len(series) > len(ranked):
        alike = len({each.last.n for each in series}) == 1
        of = f"{len(series)} methods in words{'' if alike else ', of those with the most edits'}"
        remarks.append(
            f"The best {MOST} of {of} (by these scores' harmonic mean); all are in the table."
        )
    if len(data_set.checkpoints) < 2:
        remarks.append("There is no retention curve: it takes at least two checkpoints.")
    return remarks, [(label, words) for label, words in said if words]


def _quality(point: Checkpoint) -> tuple[float, float]:
    """Sorts the best first.

    What counts is the harmonic mean of the scores in the sentence, as in ROME (NeurIPS 2022, arXiv
    2202.05262, §3): it is high only where all of them are.
    """
    surprise = point.measure(PERPLEXITY)
    shares = [share for _, share in _scores(point)]
    return (
        -harmonic_mean(shares) if shares else 0.0,
        surprise.value if surprise else float("inf"),
    )


def _scores(point: Checkpoint) -> list[tuple[str, float]]:
    """What is said of each score, and the score: of free text, or else of text that was fed."""
    for mode, words in (("fg", _FREE_TEXT), ("tf", _FED)):
        found = [(words[stem], point.measure(f"{stem}_{mode}")) for stem in words]
        measured = [(part, measure.value) for part, measure in found if measure]
        if measured:
            return measured
    return []


def _sentence(point: Checkpoint) -> str:
    parts = [part.format(_percent(share)) for part, share in _scores(point)]
    surprise = point.measure(PERPLEXITY)
    if surprise:
        parts.insert(0, f"reads the correct text with a perplexity of {about(surprise.value)}")
    if not parts:
        return ""
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"
    return f"after {edits_words(point.n)}, {listed}."


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"

"""Names and explanations for readers who have not read the paper."""

from __future__ import annotations

from functools import cache

from memoir import metrics
from memoir.metrics.base import Output
from memoir.metrics.settings import BESIDES

MODES = {"fg": "free text", "tf": "teacher forced"}
"""The two ways of asking, first the one that a user meets."""

STEMS = ("reliability", "generalization", "locality", "neighbour")
"""The scores that are read first."""

QUESTIONS = {
    "reliability": "Is the taught answer given to the taught prompt?",
    "generalization": "Is it also given when the question is put in other words?",
    "locality": "Do answers to unrelated questions stay what they were?",
    "neighbour": "Do answers about other subjects of the same kind stay what they were?",
    "consequence": "Is what follows from the taught fact answered rightly?",
    "alias": "Is the taught answer given when the subject goes by another name?",
    "attribute": "Do others, of whom the new answer was always true, keep it?",
    "same_subject": "Do other facts about the same subject stay what they were?",
}
"""What each score asks, in plain words."""

SHOULD_FIRE = ("edit", "rephrase", "alias", "consequence")
"""Kinds of questions on which an edit should act."""

KINDS = {
    "edit": "the taught prompt",
    "rephrase": "the same in other words",
    "alias": "subject by another name",
    "consequence": "what follows from the fact",
    "neighbour": "other subject, same wording",
    "same_subject": "same subject, other fact",
    "attribute": "other subject, truly so",
    "locality": "unrelated question",
    "forgetfulness": "fact that must not be forgotten",
}

_TITLES = {
    "zsre": "ZsRE",
    "counterfact": "CounterFact",
    "counterfact_rome": "CounterFact",
    "selfcheckgpt": "SelfCheckGPT",
    "knowedit": "KnowEdit",
    "temporal": "Temporal",
    "plain": "Own facts",
}

_ABOUT = {
    "ZsRE": "Short questions about people, places and works. Each is taught a new answer, and asked "
    "again in other words; the unrelated questions come from everyday web searches.",
    "CounterFact": "True statements are replaced by false ones that the model would not have said "
    "by itself, so that an answer can only come from the edit.",
    "SelfCheckGPT": "Passages in which a model made things up are replaced by correct ones. The "
    "answers are long, so one asks how surprised the model still is by the correct text "
    "(perplexity: 1 is not at all, lower is better), not whether it says it word by word.",
    "Temporal": "Things that became known after the model was trained, each taught by one long "
    "description; another text about the same thing, written by others, tests what was learned.",
}

CONDITIONS = {
    "bare": "bare",
    "chat": "in chat",
    "system": "behind a system prompt",
    "turns": "after earlier turns",
    "document": "behind a document",
}
"""Settings in plain words."""

_MODE_WORDS = {**MODES, "perplexity": "perplexity"}


def data_set_title(name: str) -> str:
    """A data set's usual spelling."""
    return _TITLES.get(name.lower(), name)


def about_data_set(title: str) -> str:
    """What a data set holds; empty if we do not know it."""
    return _ABOUT.get(title, "")


def parted_kind(kind: str) -> tuple[str, str]:
    """A kind of question and its setting: ``edit in chat`` is ("edit", "chat")."""
    return _parted(kind, " in ")


def parted_metric(name: str) -> tuple[str, str]:
    """A metric's name and its setting: ``fires_edit_chat`` is ("fires_edit", "chat")."""
    return _parted(name, "_")


def in_setting(words: str, setting: str) -> str:
    """Words for something that was asked in a setting."""
    return words if setting == "bare" else f"{words}, {CONDITIONS[setting]}"


def kind_words(kind: str) -> str:
    """A kind of question in plain words."""
    return KINDS.get(kind, kind.replace("_", " "))


def metric_words(name: str) -> str:
    """A metric's name in plain words: ``reliability_fg`` is "reliability, free text"."""
    stem, _, mode = name.rpartition("_")
    if mode not in _MODE_WORDS:
        return name.replace("_", " ")
    return f"{stem.replace('_', ' ')}, {_MODE_WORDS[mode]}"


def means(name: str) -> str:
    """A metric's definition, as the metrics give it; empty for an unknown one."""
    output = _outputs().get(name)
    return output.means if output else ""


def lower_is_better(name: str) -> bool:
    """Whether less of this metric is better."""
    output = _outputs().get(name)
    return output is not None and output.better == "lower"


def _parted(name: str, seam: str) -> tuple[str, str]:
    stem, _, setting = name.rpartition(seam)
    return (stem, setting) if stem and setting in BESIDES else (name, "bare")


@cache
def _outputs() -> dict[str, Output]:
    return metrics.outputs()

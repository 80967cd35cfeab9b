"""The last user's turn is found behind any chat template, and cut into sentences."""

from __future__ import annotations

import pytest

import tiny
from memoir.host import Host
from memoir.routing.window import SENTENCES, Window, looked_at, sentences

CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are helpful.<|im_end|>\n"
    "{% endif %}{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
MISTRAL = (
    "<s>{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% elif m['role'] == 'system' %}[SYSTEM] {{ m['content'] }} [/SYSTEM]"
    "{% else %} {{ m['content'] }}</s>{% endif %}{% endfor %}"
)
GEMMA = (
    "<bos>{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ 'model' if m['role'] == 'assistant' else 'user' }}\n"
    "{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
TEMPLATES = {
    "tiny": tiny.CHAT_TEMPLATE,
    "ChatML": CHATML,
    "Llama 3": LLAMA3,
    "Mistral": MISTRAL,
    "Gemma": GEMMA,
}
LAST = "Dr. Who, you know:\n\nwho founded <Acme> [Inc.]?"


def window_of(template: str | None) -> tuple[Window, Host]:
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = template
    host = Host(tiny.model("llama"), tokenizer, 2)
    host.model.config.max_position_embeddings = 4096
    return Window(host), host


def turns(*contents: str, system: str | None = None) -> list[dict[str, str]]:
    roles = ("user", "assistant") * len(contents)
    said = [{"role": r, "content": c} for r, c in zip(roles, contents, strict=False)]
    return [*([{"role": "system", "content": system}] if system else []), *said]


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_last_user_s_turn_is_found_as_the_model_reads_it(name: str) -> None:
    window, host = window_of(TEMPLATES[name])
    talks = [turns(LAST), turns("Who is Ada?", "A poet.", "And Bo?", "No idea.", LAST)]
    if name != "Gemma":  # which takes no system prompt
        talks.append(turns("Who is Ada?", "A poet.", LAST, system="You know everything of Acme."))
    for talk in talks:
        found = window.turn(host.raw(host.encode_chat(talk).prompt))
        assert found.text == LAST
        assert all(each["content"] in found.earlier for each in talk[:-1])
        assert LAST not in found.earlier


@pytest.mark.parametrize("name", TEMPLATES)
def test_an_answer_already_begun_is_no_part_of_the_turn(name: str) -> None:
    window, host = window_of(TEMPLATES[name])
    begun = host.raw(host.encode_chat(turns("Who?")).prompt) + "It was"
    assert window.turn(begun).text == "Who?"


@pytest.mark.parametrize("template", [None, "{{ messages[0]['nothing']['there'] }}", "constant"])
def test_without_a_usable_template_the_prompt_is_the_turn(template: str | None) -> None:
    window, _ = window_of(template)
    assert window.turn("<s>Who founded Acme?</s>") == ("Who founded Acme?", "")


def test_a_bare_prompt_is_a_turn_whatever_the_template() -> None:
    for template in TEMPLATES.values():
        window, _ = window_of(template)
        assert window.turn("The CEO of Acme is") == ("The CEO of Acme is", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. A. B. Cole met Mr. Ray. Who won?", ["Dr. A. B. Cole met Mr. Ray.", "Who won?"]),
        ("Acme Inc. is in the U.S. now, e.g. here.", None),
        ("It cost 3.5 million at 10.30", None),
        ("A line\nand another\n\n  the last ", ["A line", "and another", "the last"]),
        ("By J. R.\nTolkien", ["By J. R.", "Tolkien"]),
        ('He said "Go!" Then (they went.) Home', ['He said "Go!', "Then (they went.", "Home"]),
        ("Wait... what?!", ["Wait...", "what?!"]),
        (" \n ", []),
    ],
)
def test_sentences(text: str, expected: list[str] | None) -> None:
    assert sentences(text) == ([text] if expected is None else expected)


def test_looked_at_are_the_last_sentences_the_first_and_those_that_ask() -> None:
    text = "First. Plain. Asks? Plain again. Fourth last. Third last. Second last. Last."
    assert SENTENCES == 4
    assert looked_at(text) == [
        *("Last.", "Second last.", "Third last.", "Fourth last."),
        *("Asks?", "First."),
    ]
    assert looked_at("Only one") == ["Only one"]

"""Two models of the same weights, each with what is attached to it alone."""

from __future__ import annotations

import threading
from collections.abc import Callable

import torch

import tiny
from memoir.editor import Editor
from memoir.host import Host
from memoir.host.loading import load_host
from memoir.host.twin import twin

MakeEditor = Callable[..., Editor]
PROMPT = "The CEO of Acme is"


def logits(host: Host) -> torch.Tensor:
    return host.logits(host.batch([host.encode(PROMPT)]))


def test_a_twin_has_the_same_weights_in_the_same_memory(host: Host) -> None:
    other = twin(host)
    for one, same in zip(host.model.parameters(), other.model.parameters(), strict=True):
        assert one is same
    assert other.model is not host.model
    assert other.site.module is not host.site.module
    assert other.site.path == host.site.path
    assert other.identity() == host.identity()
    assert torch.equal(logits(other), logits(host))
    assert host.generate([host.encode(PROMPT)], 6) == other.generate([other.encode(PROMPT)], 6)


def test_tied_weights_stay_tied(host: Host) -> None:
    model = tiny.model("gpt2")
    model.config.tie_word_embeddings = True
    model.tie_weights()
    other = twin(Host(model, tiny.tokenizer(), 2)).model
    assert other.get_output_embeddings().weight is other.get_input_embeddings().weight


def test_what_is_attached_to_one_does_not_act_in_the_other(make_editor: MakeEditor) -> None:
    plain = Host(tiny.model("llama"), tiny.tokenizer(), 2, name="tiny")
    unedited = logits(plain)
    editor = make_editor(stop_loss=10.0)
    editor.method.close()
    other = twin(editor.host)
    again = Editor(other, editor.store)
    again.edit(PROMPT, "Dana")
    assert again.ask(PROMPT, max_new_tokens=5).text == "Dana"
    assert torch.equal(logits(editor.host), unedited)
    assert not torch.equal(logits(other), unedited)
    again.method.close()
    assert torch.equal(logits(other), unedited)


def test_one_answers_the_same_bits_while_edits_are_fitted_on_the_other(
    make_editor: MakeEditor,
) -> None:
    editor = make_editor(stop_loss=10.0)
    editor.method.close()
    asked, teaching = editor.host, Editor(twin(editor.host), editor.store)
    expected, wrong, over = logits(asked), [], threading.Event()

    def ask() -> None:
        while not over.is_set():
            if not torch.equal(logits(asked), expected):
                wrong.append(True)

    thread = threading.Thread(target=ask)
    thread.start()
    for number in range(4):
        teaching.edit(f"Fact {number} is", "red")
    over.set()
    thread.join()
    assert not wrong
    assert len(teaching) == 4
    teaching.method.close()


def test_a_dispatched_model_has_a_twin(tmp_path) -> None:  # type: ignore[no-untyped-def]
    dispatched = load_host(str(tiny.save(tmp_path / "tiny")), 2, device_map={"": "cpu"})
    assert torch.equal(logits(twin(dispatched)), logits(dispatched))

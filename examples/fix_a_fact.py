"""Fix a fact today, undo it tomorrow: the whole path in twenty lines.

python examples/fix_a_fact.py
"""

from memoir import Editor

with Editor.open("smollm2", store="facts") as editor:
    prompt = "The chief executive of Brightwater Labs is"
    print("before:  ", editor.ask(prompt).text)

    receipt = editor.edit(prompt, "Dana Reyes")
    answer = editor.ask(prompt)
    print("taught:  ", answer.text)
    print("evidence:", answer.match)

    # An ordinary transformers model: any way of decoding uses the edit.
    inputs = editor.host.tokenizer(prompt, return_tensors="pt")
    output = editor.model.generate(**inputs, max_new_tokens=8, num_beams=3, do_sample=False)
    print("beams:   ", editor.host.decode(output[0, inputs["input_ids"].shape[1] :].tolist()))

    editor.revert(receipt.id)
    print("reverted:", editor.ask(prompt).text)

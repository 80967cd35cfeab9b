"""Which stored edit, if any, a prompt is about.

    base.py      what every router does
    overlap.py   the paper's: shared columns of two fingerprints
    meaning.py   ours: the same subject, and the same thing asked about it

Methods that ask only which stored text a question is most like use

    retrieval.py by its words (BM25), or by the model's activations
    gate.py      by both, weighed by what shipped records teach

The rest of this room is what the router by meaning is made of:

    window.py    what of a prompt is looked at: the last user's turn, sentence by sentence
    words.py     words of a text, and how rare each is
    subject.py   which words of an edit name its subject, and where a prompt has them
    lookup.py    the edits whose subject a sentence may name, without reading the others
    relation.py  what is asked about the subject, as a short vector
    pairs.py     shipped phrasings of many relations, made into pairs to learn and calibrate from
    learning.py  fits all of it to one model
"""

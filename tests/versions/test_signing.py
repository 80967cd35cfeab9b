"""Commits are signed with SSH keys, and a signature counts only if it is of that commit and by somebody
who may sign."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import histories
from memoir.editor import Editor
from memoir.errors import BadInput, SigningFailed, UnknownName
from memoir.store import Store, signatures
from memoir.versions.bundle import export, import_
from memoir.versions.signing import Verdict, sign, verify

pytestmark = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed"
)


def make_key(path: Path) -> Path:
    """A new SSH key without a passphrase."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True
    )
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "key")


@pytest.fixture
def allowed(tmp_path: Path, key: Path) -> Path:
    """A file in which the key's owner is Ada."""
    path = tmp_path / "allowed"
    path.write_text(f"ada@example.org {key.with_suffix('.pub').read_text()}")
    return path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """One with two commits."""
    store = histories.bound(tmp_path / "store")
    histories.teach(store, "one")
    return store


def found(verdicts: list[Verdict]) -> list[tuple[str, str | None]]:
    return [(each.status, each.signer) for each in verdicts]


def test_a_signed_commit_is_good_and_tells_by_whom(store: Store, key: Path, allowed: Path) -> None:
    (row,) = sign(store, key=key)
    assert row.id == store.history.tip()
    verdicts = verify(store, allowed=allowed)
    assert found(verdicts) == [("good", "ada@example.org"), ("missing", None)]
    assert [each.commit.id for each in verdicts] == store.history.line(row.id)[::-1]


def test_older_commits_are_signed_by_name(store: Store, key: Path, allowed: Path) -> None:
    rows = sign(store, ["main", "HEAD~1", "HEAD"], key)
    assert len(rows) == 2
    assert found(verify(store, allowed=allowed)) == [("good", "ada@example.org")] * 2


def test_a_signature_of_another_commit_is_bad(store: Store, key: Path, allowed: Path) -> None:
    sign(store, ["HEAD~1"], key)
    ((first, signature),) = store.log.signatures().items()
    tip = store.history.tip()
    assert tip is not None
    store.log.sign(tip, signature)
    assert found(verify(store, allowed=allowed)) == [("bad", None), ("good", "ada@example.org")]
    store.log.sign(first, "no signature at all")
    assert found(verify(store, "HEAD~1", allowed)) == [("bad", None)]


def test_a_stranger_is_bad(store: Store, allowed: Path, tmp_path: Path) -> None:
    sign(store, key=make_key(tmp_path / "stranger"))
    assert found(verify(store, allowed=allowed))[0] == ("bad", None)


def test_a_signature_for_something_else_is_bad(store: Store, key: Path, allowed: Path) -> None:
    tip = store.history.tip()
    assert tip is not None
    made = subprocess.run(
        ["ssh-keygen", "-Y", "sign", "-n", "git", "-f", str(key)],
        input=signatures.signed_text(store.find(tip)),
        capture_output=True,
        check=True,
    )
    store.log.sign(tip, made.stdout.decode())
    assert found(verify(store, allowed=allowed))[0] == ("bad", None)


def test_an_altered_commit_is_bad(store: Store, key: Path, allowed: Path) -> None:
    (row,) = sign(store, key=key)
    row.body["message"] = "something else"
    assert signatures.signer(row, store.log.signatures()[row.id], allowed) is None


def test_signatures_are_checked_without_memoir(store: Store, key: Path, allowed: Path) -> None:
    (row,) = sign(store, key=key)
    (allowed.parent / "signature").write_text(store.log.signatures()[row.id])
    command = ["ssh-keygen", "-Y", "verify", "-n", "memoir", "-I", "ada@example.org"]
    done = subprocess.run(
        [*command, "-f", str(allowed), "-s", str(allowed.parent / "signature")],
        input=signatures.signed_text(row),
        capture_output=True,
        check=True,
    )
    assert b'Good "memoir" signature for ada@example.org' in done.stdout


def test_a_signature_is_good_elsewhere(
    store: Store, key: Path, allowed: Path, tmp_path: Path
) -> None:
    sign(store, key=key)
    export(store, tmp_path / "facts.memoir")
    import_(tmp_path / "facts.memoir", tmp_path / "new")
    assert found(verify(Store(tmp_path / "new"), allowed=allowed))[0][0] == "good"


# ---------------------------------------------------------------------- by itself


def test_a_store_with_a_key_signs_every_new_commit(
    make_editor: Callable[..., Editor], key: Path, allowed: Path
) -> None:
    editor = make_editor()
    editor.store.log.configure("user.signing-key", str(key))
    editor.store.log.configure("signing.allowed-signers", str(allowed))
    receipt = editor.edit("The CEO of Acme is", "Dana")
    editor.revert(receipt.id)
    good = ("good", "ada@example.org")
    assert found(verify(editor.store)) == [good, good, ("missing", None)]


def test_what_cannot_be_signed_is_not_committed(store: Store, tmp_path: Path) -> None:
    store.log.configure("user.signing-key", str(tmp_path / "lost"))
    before = store.history.tip()
    with pytest.raises(SigningFailed) as refused:
        histories.teach(store, "two")
    assert str(refused.value) == (
        f"there is no signing key {tmp_path / 'lost'}, so nothing was signed or committed. Make one "
        "with ssh-keygen -t ed25519, or name another: memoir config user.signing-key FILE"
    )
    assert store.history.tip() == before
    assert histories.prompts(store) == ["one"]


# ---------------------------------------------------------------------- what is refused


def test_a_file_that_is_no_key_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "thesis").write_text("precious")
    with pytest.raises(SigningFailed) as refused:
        sign(store, key=tmp_path / "thesis")
    assert f"ssh-keygen could not sign with {tmp_path / 'thesis'}: " in str(refused.value)
    assert "A key with a passphrase has to be in ssh-agent (ssh-add)." in str(refused.value)
    assert store.log.signatures() == {}


def test_a_machine_without_ssh_keygen_is_told(
    store: Store, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "PATH", str(tmp_path))
    with pytest.raises(SigningFailed) as refused:
        sign(store, key=key)
    assert str(refused.value) == (
        "ssh-keygen cannot be run (No such file or directory), and signatures are made and checked "
        "with it. Install OpenSSH 8.2 or later."
    )


def test_without_a_key_it_is_said_how_to_name_one(store: Store) -> None:
    with pytest.raises(BadInput) as refused:
        sign(store)
    assert str(refused.value) == (
        "no key to sign with; give one with --key FILE, or for good: memoir config user.signing-key "
        "FILE"
    )


def test_it_has_to_be_said_whose_signatures_count(store: Store, tmp_path: Path) -> None:
    with pytest.raises(
        BadInput, match="it is not said whose signatures count; give --allowed-sign"
    ):
        verify(store)
    with pytest.raises(BadInput, match=r"there is no file of allowed signers .*lost\. Write one"):
        verify(store, allowed=tmp_path / "lost")


def test_of_unknown_commits_none_is_signed(store: Store, key: Path) -> None:
    with pytest.raises(UnknownName, match="no branch, tag or commit 'v9'"):
        sign(store, ["HEAD", "v9"], key)
    assert store.log.signatures() == {}

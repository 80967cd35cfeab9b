"""One commit's signature: made with an SSH key, and checked against the keys that are allowed.

It is the signature that ``ssh-keygen -Y sign -n memoir`` makes of the commit's id and content, so it
can be checked without memoir, and keys in an agent or on a token work as they do elsewhere.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from memoir.errors import SigningFailed
from memoir.store.rows import Row, canonical, identity

KEY = "user.signing-key"
"""The setting of a store that has every new commit signed: the path of a key."""

NAMESPACE = "memoir"
"""What signatures are for; one made for something else does not count."""


def signed_text(commit: Row) -> bytes:
    """What is signed: a commit's id, and the content that it is the SHA-256 of, a line each."""
    content = canonical(commit.kind, commit.time, commit.body, commit.sha256)
    return f"{commit.id}\n{content}\n".encode()


def sign(commit: Row, key: str | Path) -> str:
    """The signature of a commit, in SSH's armour.

    Args:
        key: path of a private key, or of a public one whose other half an agent holds.

    Raises:
        SigningFailed: there is no such key, or ssh-keygen cannot sign with it.
    """
    path = Path(key).expanduser()
    if not path.is_file():
        raise SigningFailed(
            f"there is no signing key {path}, so nothing was signed or committed. Make one with "
            "ssh-keygen -t ed25519, or name another: memoir config user.signing-key FILE"
        )
    done = _ssh_keygen(["-Y", "sign", "-n", NAMESPACE, "-f", str(path)], signed_text(commit))
    if done.returncode:
        raise SigningFailed(
            f"ssh-keygen could not sign with {path}: {_said(done)}. Nothing was signed or committed. "
            "A key with a passphrase has to be in ssh-agent (ssh-add)."
        )
    return done.stdout.decode()


def signer(commit: Row, signature: str, allowed: str | Path) -> str | None:
    """Who signed a commit.

    Args:
        signature: from :func:`sign`.
        allowed: path of an allowed-signers file, as in ssh-keygen's manual: a name and a key a line.

    Returns:
        The name that the file gives the key; None if the signature is not of this commit, or the key
        is not in the file.

    Raises:
        SigningFailed: there is no ssh-keygen.
    """
    if identity(commit.kind, commit.time, commit.body, commit.sha256) != commit.id:
        return None
    with tempfile.NamedTemporaryFile("w", suffix=".sig", encoding="utf-8") as file:
        file.write(signature)
        file.flush()
        found = ["-f", str(Path(allowed).expanduser()), "-s", file.name]
        named = _ssh_keygen(["-Y", "find-principals", *found], b"")
        if named.returncode:
            return None
        for name in named.stdout.decode().splitlines():
            claim = ["-Y", "verify", "-n", NAMESPACE, "-I", name, *found]
            if not _ssh_keygen(claim, signed_text(commit)).returncode:
                return name
    return None


def _ssh_keygen(arguments: Sequence[str], given: bytes) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", *arguments], input=given, capture_output=True, check=False
        )
    except OSError as error:
        raise SigningFailed(
            f"ssh-keygen cannot be run ({error.strerror}), and signatures are made and checked with "
            "it. Install OpenSSH 8.2 or later."
        ) from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1].rstrip(".") if lines else f"exit code {done.returncode}"

"""A PostgreSQL server of our own: on a free port of this machine, in a folder that goes with it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

USERS = ("postgres", "nobody")
"""Whom a server may run as where the tests run as root, which PostgreSQL refuses."""


def missing() -> str | None:
    """Why no server can be started here; None if one can."""
    programs = [name for name in ("initdb", "postgres") if shutil.which(name) is None]
    if programs:
        return f"no {' and no '.join(programs)} on PATH"
    if os.geteuid() == 0 and _user() is None:
        return f"a server does not run as root, and there is no user {' or '.join(USERS)}"
    return None


def _user() -> pwd.struct_passwd | None:
    for name in USERS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    return None


class Server:
    """A running server; :meth:`close` stops it and removes its folder."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="memoir-postgres-"))
        self._as: dict[str, Any] = {"cwd": self._folder}
        user = _user() if os.geteuid() == 0 else None
        if user is not None:
            os.chown(self._folder, user.pw_uid, user.pw_gid)
            self._as |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        try:
            self._run(
                "initdb", "-D", "data", "-U", "memoir", "-A", "trust", "-E", "UTF8", "--no-sync"
            )
            self.start()
        except BaseException:
            self.close()
            raise

    def _run(self, *command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, **self._as)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        command = [
            "postgres",
            "-D",
            "data",
            "-p",
            str(self.port),
            "-k",
            str(self._folder),
            *options,
        ]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._as)
        end = time.monotonic() + 60
        while not self._answers():
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError((self._folder / "log").read_text())
            time.sleep(0.05)

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url(), connect_timeout=2).close()
            return True
        return False

    def stop(self) -> None:
        """End it at once, with all its connections."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def close(self) -> None:
        """Stop it and remove what it kept."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, schema: str | None = None, database: str = "postgres") -> str:
        """Address of a database, or of a store in one of its schemas."""
        address = f"postgresql://memoir@127.0.0.1:{self.port}/{database}"
        return address if schema is None else f"{address}?schema={schema}"

    def run(self, query: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run SQL behind a store's back."""
        with psycopg.connect(self.url(database=database), autocommit=True) as connection:
            cursor = connection.execute(query)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

"""The built page: whole, small, of the source beside it, and served with headers that fit."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from memoir.server.page_files import FOLDER, mount

SOURCE = Path(__file__).parents[2] / "page"
BUILT = sorted(path for path in FOLDER.rglob("*") if path.is_file())


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    mount(app)
    return TestClient(app)


def test_the_page_is_asked_for_again_and_its_parts_are_kept(client: TestClient) -> None:
    index = client.get("/")
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    assert index.headers["cache-control"] == "no-cache"
    again = client.get("/", headers={"If-None-Match": index.headers["etag"]})
    assert again.headers["etag"] == index.headers["etag"]
    parts = re.findall(r'(?:src|href)="(/assets/[^"]+)"', index.text)
    assert {Path(part).suffix for part in parts} == {".js", ".css"}
    for part in parts:
        answer = client.get(part)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_nothing_else_is_served(client: TestClient) -> None:
    for path in ("/index.html", "/assets/", "/assets/../page_files.py", "/v1/models"):
        assert client.get(path).status_code == 404


def test_the_page_has_no_inline_scripts_and_no_addresses_of_others() -> None:
    index = (FOLDER / "index.html").read_text("utf-8")
    assert re.findall(r"<style|<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=|javascript:", index) == []
    for path in BUILT:
        if path.suffix in (".html", ".css"):
            assert re.findall(r"https?://|url\(data:", path.read_text("utf-8")) == []


def test_the_page_is_small() -> None:
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in BUILT}
    assert sum(sizes.values()) < 400_000, sizes


def test_the_licences_of_what_is_in_it_go_with_it() -> None:
    assert "react-dom" in (FOLDER / "licenses.md").read_text("utf-8")
    assert "SIL OPEN FONT LICENSE" in (FOLDER / "font-license.txt").read_text("utf-8")


@pytest.mark.skipif(not SOURCE.is_dir(), reason="the page's source is not here")
def test_the_page_was_built_from_the_source_beside_it() -> None:
    hashed = hashlib.sha256()
    names = ["index.html", "package-lock.json", "vite.config.ts"]
    for folder in ("public", "src"):
        found = [path for path in (SOURCE / folder).rglob("*") if path.is_file()]
        names += [path.relative_to(SOURCE).as_posix() for path in found]
    for name in sorted(names):
        hashed.update(f"{name}\n".encode())
        hashed.update((SOURCE / name).read_bytes())
    built = (FOLDER / "source.txt").read_text("utf-8").strip()
    assert hashed.hexdigest() == built, "the page's source was changed; build it: make page"


@pytest.mark.skipif(not SOURCE.is_dir(), reason="the page's source is not here")
def test_the_lock_file_names_no_registry() -> None:
    assert '"resolved"' not in (SOURCE / "package-lock.json").read_text("utf-8")

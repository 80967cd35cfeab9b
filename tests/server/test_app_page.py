"""The page's files are served under their own addresses, and hide no route."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_engine import FakeEngine
from served_app import ASK, KEYS, local, problem
from starlette.testclient import TestClient

from memoir.server.app import create_app


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<title>memoir</title>", "utf-8")
    (tmp_path / "favicon.svg").write_text("<svg/>", "utf-8")
    (tmp_path / "assets" / "page-1a2b.js").write_text("go()", "utf-8")
    return local(create_app(FakeEngine(), keys=KEYS, page=tmp_path))


def test_the_page_and_its_files_need_no_key(client: TestClient) -> None:
    page = client.get("/")
    assert page.text == "<title>memoir</title>"
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-cache"
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert client.get("/favicon.svg").headers["content-type"].startswith("image/svg+xml")
    script = client.get("/assets/page-1a2b.js")
    assert script.text == "go()"
    assert "javascript" in script.headers["content-type"]
    assert "immutable" in script.headers["cache-control"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/assets/nothing.js", "/assets/../index.html", "/assets/%2e%2e/index.html"]
)
def test_what_is_not_of_the_page_is_not_there(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert problem(response)["type"] == "invalid_request_error"


def test_routes_stay_what_they_are(client: TestClient) -> None:
    assert client.get("/v1/models").status_code == 401
    headers = {"Authorization": f"Bearer {ASK}"}
    assert client.post("/health", headers=headers).status_code == 405
    assert client.get("/v1/completions", headers=headers).status_code == 405


def test_without_a_page_there_is_nothing_to_look_at() -> None:
    assert local(create_app(FakeEngine(), keys=KEYS)).get("/").status_code == 404

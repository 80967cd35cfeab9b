"""Who may ask what, how often, and from where."""

from __future__ import annotations

import threading

import httpx
import pytest
from fake_engine import FakeEngine, Reply
from fastapi import APIRouter, Depends, FastAPI
from served_app import ADMIN, ASK, EDIT, KEYS, NO_KEYS, TRIAL, eventually, listening, local, problem

from memoir.server.access import Caller, allowed
from memoir.server.access.rates import Bucket, Rates
from memoir.server.app import create_app
from memoir.server.openai.errors import Refusal
from memoir.server.settings import Settings

TEXT = "/v1/completions"
PROMPT = {"prompt": "Acme"}
ROLES = ("ask", "edit", "admin")


def with_roles(keys: object = KEYS, **settings: object) -> FastAPI:
    """An app with one more route for each role."""
    routes = APIRouter()
    for role in ROLES:

        def named(caller: Caller = Depends(allowed(role))) -> str:  # type: ignore[arg-type]  # noqa: B008
            return caller.name

        routes.get(f"/v1/needs/{role}")(named)
    return create_app(FakeEngine(), keys=keys, settings=Settings(**settings), routers=[routes])  # type: ignore[arg-type]


def test_each_role_may_do_what_those_before_it_may() -> None:
    app = with_roles()
    for secret, name, may in ((ASK, "reader", 1), (EDIT, "writer", 2), (ADMIN, "boss", 3)):
        for i, role in enumerate(ROLES):
            response = local(app, secret).get(f"/v1/needs/{role}")
            if i < may:
                assert response.json() == name
            else:
                assert response.status_code == 403
                error = problem(response)
                assert error["code"] == "insufficient_role"
                assert f"'{name}'" in str(error["message"])
                assert f"needs {role}" in str(error["message"])


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer memoir-wrong", f"Basic {ASK}", ASK])
def test_without_a_known_key_nothing_is_answered(header: str | None) -> None:
    client = local(with_roles())
    headers = {} if header is None else {"Authorization": header}
    for response in (
        client.get("/v1/models", headers=headers),
        client.post(TEXT, json=PROMPT, headers=headers),
        client.post(TEXT, content=b"x" * 3_000_000, headers=headers),  # not even read
        client.get("/metrics", headers=headers),
    ):
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert problem(response)["code"] == "invalid_api_key"
    assert client.get("/health", headers=headers).status_code == 200


def test_the_word_bearer_may_be_written_in_any_way() -> None:
    response = local(with_roles()).get("/v1/models", headers={"Authorization": f"bearer  {ASK} "})
    assert response.status_code == 200


def test_without_any_key_this_machine_is_an_administrator() -> None:
    app = with_roles(NO_KEYS)
    for host in ("127.0.0.1", "127.0.0.1:8000", "localhost:8000", "[::1]:8000", "LOCALHOST"):
        assert local(app, host=host).get("/v1/needs/admin").json() == "local"


@pytest.mark.parametrize(
    "host", ["example.org", "127.0.0.1.example.org", "localhost.example.org", "10.0.0.1", "[x", ""]
)
def test_without_any_key_other_names_lead_nowhere(host: str) -> None:
    client = local(with_roles(NO_KEYS))
    for path in ("/v1/needs/ask", "/version", "/"):
        response = client.get(path, headers={"Host": host})
        assert response.status_code == 403
        assert problem(response)["code"] == "local_only"
        assert "memoir keys add" in str(problem(response)["message"])


def test_without_any_key_other_machines_are_not_answered() -> None:
    transport = httpx.ASGITransport(with_roles(NO_KEYS), client=("10.0.0.7", 1))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/version")

    import asyncio

    assert problem(asyncio.run(ask()))["code"] == "local_only"


def test_without_any_key_pages_from_elsewhere_send_nothing() -> None:
    client = local(with_roles(NO_KEYS, cors_origins=("https://known.example",)))
    for origin, status in (
        ("https://evil.example", 403),
        ("null", 403),
        ("http://127.0.0.1:8000", 200),
        ("https://known.example", 200),
    ):
        response = client.post(TEXT, json=PROMPT, headers={"Origin": origin})
        assert response.status_code == status, origin


def test_with_keys_any_name_of_the_server_will_do() -> None:
    client = local(with_roles(), ASK, host="models.example.org")
    assert client.post(TEXT, json=PROMPT).status_code == 200


def test_a_bound_key_sees_its_branch_only() -> None:
    client = local(with_roles(), TRIAL)
    assert [b["name"] for b in client.get("/v1/console").json()["branches"]] == ["trial"]
    assert client.get("/v1/models/tiny@main").status_code == 404
    app = create_app(FakeEngine(), keys=KEYS)
    KEYS.callers["memoir-gone"] = Caller("gone", "ask", "gone")
    try:
        response = local(app, "memoir-gone").get("/v1/models")
    finally:
        del KEYS.callers["memoir-gone"]
    assert response.status_code == 404
    assert "'gone', which is not served" in str(problem(response)["message"])


# ------------------------------------------------------------------ rates


def test_a_key_has_so_many_requests_a_minute() -> None:
    app = with_roles(requests_per_minute=3)
    client = local(app, ASK)
    assert [client.post(TEXT, json=PROMPT).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = client.post(TEXT, json=PROMPT)
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert problem(refused)["code"] == "rate_limit_exceeded"
    assert "'reader' has 3 requests a minute" in str(problem(refused)["message"])
    assert local(app, EDIT).post(TEXT, json=PROMPT).status_code == 200  # another key
    assert client.get("/v1/models").status_code == 200  # looking is free


def test_a_bucket_fills_evenly() -> None:
    now = 0.0
    bucket = Bucket(30, lambda: now)
    assert [bucket.take() for _ in range(30)] == [0.0] * 30
    assert bucket.take() == pytest.approx(2.0)
    now = 1.5
    assert bucket.take() == pytest.approx(0.5)
    now = 2.0
    assert bucket.take() == 0.0
    now = 10_000.0  # it does not hold more than a minute's
    assert [bucket.take() > 0 for _ in range(31)] == [False] * 30 + [True]


def test_work_that_ends_makes_room_also_if_it_fails() -> None:
    rates = Rates(100, 1)
    for _ in range(3):
        with pytest.raises(KeyError), rates.working("ann"):  # noqa: PT012
            with pytest.raises(Refusal, match="1 requests of the key 'ann'"), rates.working("ann"):
                pass
            with rates.working("ben"):
                raise KeyError


def test_a_key_has_so_many_requests_at_once() -> None:
    engine = FakeEngine(lambda _question: Reply(pause=0.3))
    app = create_app(engine, keys=KEYS, settings=Settings(concurrency=1))
    with listening(app) as address:
        headers = {"Authorization": f"Bearer {ASK}"}
        codes: list[int] = []

        def ask() -> None:
            codes.append(httpx.post(address + TEXT, json=PROMPT, headers=headers).status_code)

        first = threading.Thread(target=ask)
        first.start()
        eventually(lambda: engine.generations, "nothing was asked")
        refused = httpx.post(address + TEXT, json=PROMPT, headers=headers)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "1"
        first.join()
        ask()
        assert codes == [200, 200]


# ------------------------------------------------------------------ browsers


def test_every_response_has_security_headers() -> None:
    client = local(with_roles(), ASK)
    for response in (
        client.get("/health"),
        client.get("/nothing"),
        client.get("/v1/needs/admin"),
        client.post(TEXT, json=PROMPT),
        client.post(TEXT, json={**PROMPT, "stream": True}),
    ):
        headers = response.headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"


def test_pages_from_elsewhere_ask_only_if_they_are_known() -> None:
    ask = {"Origin": "https://known.example", "Access-Control-Request-Method": "POST"}
    closed = local(with_roles(), ASK)
    assert "access-control-allow-origin" not in closed.options(TEXT, headers=ask).headers
    response = closed.post(TEXT, json=PROMPT, headers={"Origin": "https://known.example"})
    assert "access-control-allow-origin" not in response.headers
    opened = local(with_roles(cors_origins=("https://known.example",)))
    response = opened.options(TEXT, headers=ask)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "https://known.example"
    refused = opened.post(TEXT, json=PROMPT, headers={"Origin": "https://known.example"})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://known.example"
    other = {**ask, "Origin": "https://evil.example"}
    assert opened.options(TEXT, headers=other).status_code == 400


def test_the_description_can_be_kept_back() -> None:
    assert local(with_roles()).get("/openapi.json").json()["info"]["title"] == "memoir"
    assert local(with_roles(docs=False)).get("/openapi.json").status_code == 404
    assert (
        local(with_roles()).get("/docs").status_code == 404
    )  # it would load scripts from elsewhere

"""Errors people can read, and what every answer carries."""

import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from yarl import URL

from tests import town as towns
from tests.integration.web_client import Browser, serve
from tests.manual_clock import ManualClock
from web.access import FORM_BYTES
from web.app import refuse_the_unmarked


@pytest.fixture
async def server(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock
) -> AsyncIterator[BaseTestServer]:
    await towns.build(conn)
    async with serve(pool, clock) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [("/nowhere", 404, "没有找到"), ("/desk", 403, "此账号无权查看"), ("/sign-out", 405, "不能这样访问")],
)
async def test_a_refusal_is_a_page_of_ours(server: BaseTestServer, path: str, status: int, says: str) -> None:
    async with Browser(server) as browser:
        await browser.sign_in("ann")
        got, text = await browser.get(path)
        assert got == status
        assert f"<h1>{says}</h1>" in text
        assert (await browser.get(path, **{"HX-Request": "true"}))[1].startswith(
            '<div class="notice critical">'
        )


async def test_a_refusal_speaks_english_too(server: BaseTestServer) -> None:
    async with Browser(server) as browser:
        assert "Nothing here" in (await browser.get("/nowhere", **{"Accept-Language": "en"}))[1]


async def test_too_large_a_body_is_refused_before_it_is_read_and_while_it_is_read(
    server: BaseTestServer,
) -> None:
    async with Browser(server) as browser:
        await browser.get("/sign-in")
        large = "x" * (FORM_BYTES + 1)
        assert (await browser.post("/sign-in", {"login": large})).status == 413

        async def streamed() -> AsyncIterator[bytes]:
            yield b"login="
            for _ in range(FORM_BYTES // 1024 + 1):
                yield b"x" * 1024

        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with browser.client.post("/sign-in", data=streamed(), headers=headers) as response:
            assert response.status == 413


async def test_a_failure_is_told_with_a_reference_that_the_log_knows(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    await towns.build(conn)
    async with (
        serve(pool, clock) as server,
        Browser(server) as browser,
    ):
        await browser.sign_in("ann")
        await conn.execute("ALTER TABLE bill RENAME TO bill_gone")
        await conn.execute("ALTER VIEW bill_state RENAME TO bill_state_gone")
        with caplog.at_level(logging.ERROR):
            status, text = await browser.get("/bills")
    assert status == 500
    reference = text.split("<code>")[1].split("</code>")[0]
    assert reference in caplog.text
    assert "bill_state" not in text


async def test_a_database_away_is_a_pause_not_a_fault(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    await towns.build(conn)
    async with (
        serve(pool, clock) as server,
        Browser(server) as browser,
    ):
        await browser.sign_in("ann")
        await pool.close()
        status, text = await browser.get("/bills")
    assert status == 503
    assert "系统正在重启" in text
    assert "Traceback" not in text
    assert caplog.records


@pytest.mark.parametrize("path", ["/sign-in", "/nowhere", "/static/css/base.css", "/events"])
async def test_every_answer_carries_the_protecting_headers(server: BaseTestServer, path: str) -> None:
    async with Browser(server) as browser:
        await browser.sign_in("ann")
        async with browser.client.get(path, allow_redirects=False) as response:
            policy = response.headers["Content-Security-Policy"]
            for part in (
                "default-src 'self'",
                "frame-ancestors 'none'",
                "base-uri 'none'",
                "form-action 'self'",
            ):
                assert part in policy
            assert "unsafe" not in policy
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "same-origin"
            caching = "immutable" if path.startswith("/static/") else "no-store"
            assert caching in response.headers["Cache-Control"]


async def test_static_files_stay_below_their_folder(server: BaseTestServer) -> None:
    async with Browser(server) as browser:
        for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static/"):
            assert (await browser.get(path))[0] in {403, 404}


def test_a_handler_that_does_not_say_who_may_call_it_does_not_start() -> None:
    async def forgotten(_: web.Request) -> web.StreamResponse:
        return web.Response()

    with pytest.raises(RuntimeError, match="GET /x does not say who may call it"):
        refuse_the_unmarked([web.get("/x", forgotten)])


@pytest.mark.parametrize(
    "path",
    [
        "/bills/%00",
        "/bills/%ff",
        "/bills/%ed%a0%80",
        "/bills/" + "9" * 3000,
        "/bills/x/lines/9999",
        "/records/999999999999999999",
        "/records/9999999999999999999",
        "/records/%D9%A3",
        "/photos/" + "g" * 64,
        "/sign-in?next=%00%ff",
        "/bills?%00=%ff",
    ],
)
async def test_a_strange_address_is_simply_not_there(server: BaseTestServer, path: str) -> None:
    async with Browser(server) as browser:
        await browser.sign_in("ann")
        url = URL(str(server.make_url("/")).rstrip("/") + path, encoded=True)
        async with browser.client.session.get(url, allow_redirects=False) as response:
            assert response.status in {200, 303, 404}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"login=%ff%fe&csrf=", "application/x-www-form-urlencoded"),
        (b"login=\xff\xfe", "application/x-www-form-urlencoded; charset=utf-8"),
        (b"login=x", "application/x-www-form-urlencoded; charset=nonsense"),
        (b"no boundary", "multipart/form-data"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\nv\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b'{"csrf": "x"}', "application/json"),
        (b"&".join(b"a%d=1" % n for n in range(5000)), "application/x-www-form-urlencoded"),
    ],
)
async def test_a_broken_form_is_refused_and_not_a_failure(
    server: BaseTestServer, body: bytes, kind: str
) -> None:
    async with Browser(server) as browser:
        await browser.get("/sign-in")
        async with browser.client.post("/sign-in", data=body, headers={"Content-Type": kind}) as response:
            assert response.status in {400, 403, 413}


def _parts(*parts: bytes) -> bytes:
    return (
        b"".join(b"--x\r\nContent-Disposition: form-data; name=" + part + b"\r\n" for part in parts)
        + b"--x--\r\n"
    )


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (rb"login=\ud800&password=x", "application/x-www-form-urlencoded; charset=raw_unicode_escape"),
        (rb"csrf=\ud800", "application/x-www-form-urlencoded; charset=unicode_escape"),
        (b"login=x&password=x", "application/x-www-form-urlencoded; charset=gbk"),
        (b"login=x&password=x", "application/x-www-form-urlencoded; charset=rot13"),
        (
            _parts(b'"login"\r\nContent-Type: text/plain; charset=raw_unicode_escape\r\n\r\n\\ud800'),
            "multipart/form-data; boundary=x",
        ),
        (
            _parts(b'"_charset_"\r\n\r\nraw_unicode_escape', b'"login"\r\n\r\n\\ud800'),
            "multipart/form-data; boundary=x",
        ),
        (_parts(b'"_charset_"\r\n\r\n' + b"x" * 40), "multipart/form-data; boundary=x"),
    ],
)
async def test_a_form_that_is_not_utf_8_is_refused(server: BaseTestServer, body: bytes, kind: str) -> None:
    async with Browser(server) as browser:
        await browser.get("/sign-in")
        headers = {"Content-Type": kind, "X-CSRF-Token": browser.csrf}
        async with browser.client.post("/sign-in", data=body, headers=headers) as response:
            assert response.status == 400


async def test_a_form_that_is_out_of_date_says_so(server: BaseTestServer) -> None:
    async with Browser(server) as browser:
        await browser.sign_in("ann")
        for language, words in (("zh", "页面已过期"), ("en", "This form is out of date")):
            assert (await browser.post("/language", {"language": language, "next": "/account"})).status == 303
            stale = await browser.post("/language", {"csrf": "old", "language": "zh", "next": "/account"})
            assert stale.status == 403
            assert words in await stale.text()

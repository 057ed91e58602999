"""Signing in: sessions, throttling, the reader's choices."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp.test_utils import BaseTestServer
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from tests.integration.web_client import Browser, serve
from tests.manual_clock import ManualClock
from tests.town import PASSWORD, QUICK_HASH
from web.auth import PRESENT_TRIES, TRIES, WINDOW


@pytest.fixture
async def server(
    pool: AsyncConnectionPool, conn: AsyncConnection, clock: ManualClock
) -> AsyncIterator[BaseTestServer]:
    for login in ("boss", "other"):
        await conn.execute(
            """
            INSERT INTO account (login, name, role, language, password_hash)
            VALUES (%(login)s, '王经理', 'manager', 'zh', %(hash)s)
            """,
            {"login": login, "hash": QUICK_HASH},
        )
    async with serve(pool, clock) as running:
        yield running


async def test_a_password_opens_a_session(server: BaseTestServer, conn: AsyncConnection) -> None:
    async with Browser(server) as browser:
        response = await browser.sign_in("Boss", then="/account")
        assert (response.status, response.headers["Location"]) == (303, "/account")
        cookie = response.cookies["session"]
        assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
        status, text = await browser.get("/account")
        assert status == 200
        assert "王经理" in text
    kept = await (await conn.execute("SELECT token_hash FROM session")).fetchall()
    assert len(kept) == 1
    assert cookie.value.encode() != kept[0][0], "the cookie itself is not kept"


async def test_https_makes_cookies_secure_and_asks_for_https(
    pool: AsyncConnectionPool, clock: ManualClock
) -> None:
    async with (
        serve(pool, clock, public_url="https://home.example") as running,
        Browser(running) as browser,
        browser.client.get("/sign-in") as response,
    ):
        assert response.cookies["visitor"]["secure"]
        assert response.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize(
    ("login", "password", "status"),
    [
        ("boss", "wrong", 403),
        ("nobody", PASSWORD, 403),
        ("", "", 400),
        ("bo\0ss", "x", 400),
        ("boss", "长" * 300, 403),
    ],
)
async def test_what_does_not_fit_is_refused_alike(
    server: BaseTestServer, login: str, password: str, status: int
) -> None:
    async with Browser(server) as browser:
        response = await browser.sign_in(login, password)
        assert response.status == status
        assert "session" not in response.cookies
        if status == 403:
            assert "登录名或密码不正确" in await response.text()


async def test_a_disabled_account_is_out_at_once(
    server: BaseTestServer, conn: AsyncConnection, clock: ManualClock
) -> None:
    async with Browser(server) as browser:
        await browser.sign_in("boss")
        await conn.execute("UPDATE account SET disabled_at = %(now)s", {"now": clock.now()})
        assert (await browser.get("/account"))[0] == 303
        assert (await browser.sign_in("boss")).status == 403


async def test_too_many_wrong_tries_on_a_login_have_to_wait(
    server: BaseTestServer, clock: ManualClock
) -> None:
    async with Browser(server) as browser:
        for _ in range(TRIES.together):
            assert (await browser.sign_in("boss", "wrong")).status == 403
        refused = await browser.sign_in("boss", PASSWORD)
        assert refused.status == 429, "even the right password has to wait"
        assert refused.headers["Retry-After"] == str(int(WINDOW.total_seconds()))
        assert "请在 15 分钟后再试" in await refused.text()
        assert (await browser.sign_in("other")).status == 303, "another login is not held up"
        await browser.post("/sign-out", {})
        clock.advance(WINDOW)
        assert (await browser.sign_in("boss")).status == 303


async def test_an_address_that_tries_many_logins_has_to_wait(server: BaseTestServer) -> None:
    async with Browser(server) as browser:
        for number in range(TRIES.address):
            assert (await browser.sign_in(f"guess{number}", "wrong")).status == 403
        assert (await browser.sign_in("boss")).status == 429


@pytest.fixture
async def proxied(
    server: BaseTestServer, pool: AsyncConnectionPool, clock: ManualClock
) -> AsyncIterator[BaseTestServer]:
    """The same house behind a proxy, which says where each request came from."""
    assert server.started
    async with serve(pool, clock, behind_proxy=True) as running:
        yield running


async def tries(browser: Browser, password: str, address: str) -> int:
    await browser.get("/sign-in")
    fields = {"login": "boss", "password": password}
    answer = await browser.post("/sign-in", fields, **{"X-Forwarded-For": address})
    return answer.status


async def test_wrong_tries_from_elsewhere_lock_nobody_out(proxied: BaseTestServer) -> None:
    async with Browser(proxied) as browser:
        for _ in range(TRIES.together):
            assert await tries(browser, "wrong", "203.0.113.1") == 403
        assert await tries(browser, PASSWORD, "203.0.113.1") == 429
        assert await tries(browser, PASSWORD, "203.0.113.2") == 303
    async with Browser(proxied) as browser:
        assert await tries(browser, PASSWORD, "203.0.113.1") == 429, "who signs in forgives their own tries"


async def test_many_addresses_together_do_not_guess_for_ever(proxied: BaseTestServer) -> None:
    async with Browser(proxied) as browser:
        for number in range(TRIES.login):
            assert await tries(browser, "wrong", f"203.0.113.{number // TRIES.together}") == 403
        assert await tries(browser, PASSWORD, "198.51.100.1") == 429


async def test_the_present_password_is_not_guessed_from_a_session_left_open(
    server: BaseTestServer, clock: ManualClock
) -> None:
    wrong = {"present": "wrong", "new": "a better one", "again": "a better one"}
    right = wrong | {"present": PASSWORD}
    async with Browser(server) as browser:
        await browser.sign_in("boss")
        for _ in range(PRESENT_TRIES.together):
            assert (await browser.post("/account/password", wrong)).status == 400
        refused = await browser.post("/account/password", right)
        assert refused.status == 429
        assert refused.headers["Retry-After"] == str(int(WINDOW.total_seconds()))
        assert "请在 15 分钟后再试" in await refused.text()
        clock.advance(WINDOW)
        assert (await browser.post("/account/password", right)).status == 303


async def test_of_many_tries_at_once_no_more_than_the_limit_are_looked_at(server: BaseTestServer) -> None:
    async with Browser(server) as browser:
        await browser.get("/sign-in")
        fields = {"login": "boss", "password": "wrong"}
        answers = await asyncio.gather(*(browser.post("/sign-in", fields) for _ in range(20)))
    statuses = [answer.status for answer in answers]
    assert statuses.count(403) == TRIES.together
    assert statuses.count(429) == 20 - TRIES.together


async def test_a_right_password_forgives_the_wrong_ones(server: BaseTestServer) -> None:
    async with Browser(server) as browser:
        for _ in range(3):
            for _ in range(TRIES.together - 1):
                await browser.sign_in("boss", "wrong")
            assert (await browser.sign_in("boss")).status == 303
            await browser.post("/sign-out", {})


async def test_sign_out_ends_the_session_in_the_database(
    server: BaseTestServer, conn: AsyncConnection
) -> None:
    async with Browser(server) as browser:
        cookie = (await browser.sign_in("boss")).cookies["session"].value
        assert (await browser.post("/sign-out", {})).status == 303
        assert (await browser.get("/account"))[0] == 303
        browser.client.session.cookie_jar.update_cookies({"session": cookie})
        assert (await browser.get("/account"))[0] == 303, "a kept cookie is worth nothing"
    assert await (await conn.execute("SELECT FROM session")).fetchone() is None


async def test_a_session_ends_unused_and_lives_on_in_use(server: BaseTestServer, clock: ManualClock) -> None:
    async with Browser(server) as browser:
        await browser.sign_in("boss")
        for _ in range(4):
            clock.advance(timedelta(hours=7))
            assert (await browser.get("/account"))[0] == 200
        clock.advance(timedelta(hours=13))
        assert (await browser.get("/account"))[0] == 303


async def test_a_new_password_signs_other_browsers_out(server: BaseTestServer) -> None:
    async with Browser(server) as phone, Browser(server) as desk:
        await phone.sign_in("boss")
        await desk.sign_in("boss")
        fields = {"present": PASSWORD, "new": "a better one", "again": "a better one"}
        assert (await desk.post("/account/password", fields)).headers["Location"] == "/account?done"
        assert (await desk.get("/account"))[0] == 200
        assert (await phone.get("/account"))[0] == 303
        assert (await phone.sign_in("boss")).status == 403
        assert (await phone.sign_in("boss", "a better one")).status == 303


@pytest.mark.parametrize(
    ("present", "new", "again", "says"),
    [
        ("wrong", "a better one", "a better one", "当前密码不正确"),
        (PASSWORD, "a better one", "another one", "不一致"),
        (PASSWORD, "short", "short", "至少 8 个字符"),
    ],
)
async def test_a_new_password_is_checked(
    server: BaseTestServer, present: str, new: str, again: str, says: str
) -> None:
    async with Browser(server) as browser:
        await browser.sign_in("boss")
        response = await browser.post("/account/password", {"present": present, "new": new, "again": again})
        assert response.status == 400
        assert says in await response.text()


async def test_the_language_is_kept_with_the_account(server: BaseTestServer) -> None:
    async with Browser(server) as browser:
        await browser.sign_in("boss")
        response = await browser.post("/language", {"language": "en", "next": "/account?x=1"})
        assert (response.status, response.headers["Location"]) == (303, "/account?x=1")
        assert 'lang="en"' in (await browser.get("/account"))[1]
    async with Browser(server) as elsewhere:
        await elsewhere.sign_in("boss")
        assert "Account and password" in (await elsewhere.get("/account"))[1]


async def test_a_visitor_reads_their_browsers_language_and_may_change_it(server: BaseTestServer) -> None:
    async with Browser(server) as browser:
        accept = {"Accept-Language": "en-GB,en;q=0.9"}
        assert "No account, or the password is lost?" in (await browser.get("/sign-in", **accept))[1]
        await browser.post("/language", {"language": "zh", "next": "/sign-in"}, **accept)
        assert "忘记密码" in (await browser.get("/sign-in", **accept))[1]
        assert (await browser.post("/language", {"language": "xx", "next": "/"})).status == 400


async def test_large_text_is_kept(server: BaseTestServer) -> None:
    async with Browser(server) as browser:
        assert 'data-text="normal"' in (await browser.get("/sign-in"))[1]
        await browser.post("/text-size", {"size": "large", "next": "/sign-in"})
        assert 'data-text="large"' in (await browser.get("/sign-in"))[1]
        assert (await browser.post("/text-size", {"size": "huge", "next": "/"})).status == 400


async def test_after_signing_in_the_page_asked_for_is_shown(server: BaseTestServer) -> None:
    async with Browser(server) as browser:
        async with browser.client.get("/account?x=1", allow_redirects=False) as response:
            assert response.headers["Location"] == "/sign-in?next=%2Faccount%3Fx%3D1"
        status, text = await browser.get("/sign-in?next=%2Faccount%3Fx%3D1")
        assert status == 200
        assert 'value="/account?x=1"' in text

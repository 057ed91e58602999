"""Signing in and out, the password, and the reader's choices of language and text size."""

import math
import secrets
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web
from psycopg import AsyncConnection

from web import store
from web.access import Role, public, require
from web.errors import Refusal
from web.house import house_of, now_of
from web.i18n import as_language
from web.passwords import UnfitPassword
from web.render import page, translator
from web.security import address_of, safe_next
from web.session import (
    SESSION,
    TEXT_SIZES,
    drop_session_cookie,
    hashed,
    lasts,
    remember,
    session_of,
    set_session_cookie,
)

HOMES: Final[dict[Role, str]] = {
    "administrator": "/desk",
    "manager": "/desk",
    "dispatcher": "/desk",
    "technician": "/work",
    "finance": "/finance",
    "resident": "/bills",
}
WINDOW: Final = timedelta(minutes=15)
TRIES: Final = store.Tries(together=5, login=50, address=30)  # within the window
# Of the present password: who is signed in needs no room for others.
PRESENT_TRIES: Final = store.Tries(together=5, login=5, address=30)
_LOGIN_LENGTH: Final = 64


def routes() -> list[web.RouteDef]:
    """Return the routes of signing in and of the reader's choices."""
    return [
        web.get("/", home),
        web.get("/sign-in", sign_in_form),
        web.post("/sign-in", sign_in),
        web.post("/sign-out", sign_out),
        web.get("/account", account_form),
        web.post("/account/password", change_password),
        web.post("/language", choose_language),
        web.post("/text-size", choose_text_size),
    ]


def _go(location: str) -> web.Response:
    return web.Response(status=303, headers={"Location": location})


@require()
async def home(request: web.Request) -> web.StreamResponse:
    """Send each role to its page."""
    return _go(HOMES[request[SESSION].account.role])


@public
async def sign_in_form(request: web.Request) -> web.StreamResponse:
    """Show the sign-in page; somebody signed in already goes on."""
    if session_of(request) is not None:
        return _go(safe_next(request.query.get("next")))
    return _form(request, next_page=safe_next(request.query.get("next")))


def _form(
    request: web.Request, *, next_page: str, login: str = "", problem: str = "", status: int = 200
) -> web.Response:
    return page(
        request,
        "account/sign_in.html",
        {"next": next_page, "login": login, "problem": problem, "here": "/sign-in"},
        status=status,
    )


@public
async def sign_in(request: web.Request) -> web.StreamResponse:
    """Check a login and password, no more often than the limits allow."""
    form = await request.post()
    login = str(form.get("login", "")).strip().lower()[:_LOGIN_LENGTH]
    password = str(form.get("password", ""))
    next_page = safe_next(str(form.get("next", "")))
    say = translator(request)
    if not login or not password or "\0" in login:
        problem = say.gettext("Enter your login and your password.")
        return _form(request, next_page=next_page, login=login, problem=problem, status=400)
    house, now = house_of(request), now_of(request)
    async with house.pool.connection() as conn, conn.transaction():
        try_id, oldest = await store.begin_try(
            conn, login, address_of(request), now=now, since=now - WINDOW, limits=TRIES
        )
        found = await store.credentials(conn, login)
    if try_id is None:
        return _throttled(request, next_page, login, (oldest or now) + WINDOW - now)
    if not await house.passwords.verify(found.password_hash if found else None, password) or found is None:
        problem = say.gettext("Login and password do not fit. Check both, or ask the property office.")
        return _form(request, next_page=next_page, login=login, problem=problem, status=403)
    async with house.pool.connection() as conn, conn.transaction():
        await store.forgive(conn, login, try_id)
        token = await _open(conn, found, now)
    response = _go(next_page)
    set_session_cookie(request, response, token, lasts(found.role))
    remember(request, response, "language", found.language)
    return response


def _throttled(request: web.Request, next_page: str, login: str, wait: timedelta) -> web.Response:
    problem = _wait_words(request, wait)
    response = _form(request, next_page=next_page, login=login, problem=problem, status=429)
    return _with_wait(response, wait)


def _minutes(wait: timedelta) -> int:
    return max(1, math.ceil(wait.total_seconds() / 60))


def _wait_words(request: web.Request, wait: timedelta) -> str:
    minutes = _minutes(wait)
    return translator(request).ngettext(
        "Too many wrong tries. Try again in %(minutes)d minute.",
        "Too many wrong tries. Try again in %(minutes)d minutes.",
        minutes,
    ) % {"minutes": minutes}


def _with_wait(response: web.Response, wait: timedelta) -> web.Response:
    response.headers["Retry-After"] = str(_minutes(wait) * 60)
    return response


async def _open(conn: AsyncConnection, found: store.Credentials, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    await store.open_session(
        conn,
        token_hash=hashed(token),
        account_id=found.id,
        csrf=secrets.token_urlsafe(32),
        now=now,
        expires_at=now + lasts(found.role),
    )
    return token


@public
async def sign_out(request: web.Request) -> web.StreamResponse:
    """End this session, here and in the database."""
    session = session_of(request)
    if session is not None:
        async with house_of(request).pool.connection() as conn:
            await store.close_session(conn, session.token_hash)
    response = _go("/sign-in")
    drop_session_cookie(request, response)
    if house_of(request).secure:
        response.headers["Clear-Site-Data"] = '"cache"'
    return response


@require()
async def account_form(request: web.Request) -> web.StreamResponse:
    """Show who is signed in, and the form for a new password."""
    return page(request, "account/account.html", {"problem": "", "done": "done" in request.query})


@require()
async def change_password(request: web.Request) -> web.StreamResponse:
    """Replace the password after the present one was repeated; other browsers are signed out."""
    form = await request.post()
    house, session, say = house_of(request), request[SESSION], translator(request)
    present, new, again = (str(form.get(name, "")) for name in ("present", "new", "again"))
    wait = await _present_password(request, present)
    if wait:
        return _with_wait(_account_problem(request, _wait_words(request, wait), status=429), wait)
    if wait is None:
        return _account_problem(request, say.gettext("The present password does not fit."))
    if new != again:
        return _account_problem(request, say.gettext("The new password was not repeated the same."))
    try:
        password_hash = await house.passwords.hash(new)
    except UnfitPassword:
        return _account_problem(request, say.gettext("A password has at least 8 characters."))
    async with house.pool.connection() as conn, conn.transaction():
        await store.set_password(conn, session.account.id, password_hash)
        await store.close_sessions(conn, session.account.id, keep=session.token_hash)
    return _go("/account?done")


def _account_problem(request: web.Request, problem: str, status: int = 400) -> web.Response:
    return page(request, "account/account.html", {"problem": problem, "done": False}, status=status)


async def _present_password(request: web.Request, present: str) -> timedelta | None:
    """Check the present password: no wait where it fits, None where not, else how long it has to wait."""
    house, account, now = house_of(request), request[SESSION].account, now_of(request)
    # Sign-in makes logins lower case, so that nothing tried there holds up who is signed in.
    key = f"ACCOUNT {account.id}"
    async with house.pool.connection() as conn, conn.transaction():
        try_id, oldest = await store.begin_try(
            conn, key, address_of(request), now=now, since=now - WINDOW, limits=PRESENT_TRIES
        )
        found = await store.credentials(conn, account.login)
    if try_id is None:
        return (oldest or now) + WINDOW - now
    if not await house.passwords.verify(found.password_hash if found else None, present):
        return None
    async with house.pool.connection() as conn, conn.transaction():
        await store.forgive(conn, key, try_id)
    return timedelta()


@public
async def choose_language(request: web.Request) -> web.StreamResponse:
    """Keep the chosen language, for the account where somebody is signed in."""
    form = await request.post()
    language = as_language(str(form.get("language", "")))
    if language is None:
        raise Refusal(400)
    session = session_of(request)
    if session is not None:
        async with house_of(request).pool.connection() as conn:
            await store.set_language(conn, session.account.id, language)
    response = _go(safe_next(str(form.get("next", ""))))
    remember(request, response, "language", language)
    return response


@public
async def choose_text_size(request: web.Request) -> web.StreamResponse:
    """Keep the chosen text size; `large` is the elderly mode."""
    form = await request.post()
    size = str(form.get("size", ""))
    if size not in TEXT_SIZES:
        raise Refusal(400)
    response = _go(safe_next(str(form.get("next", ""))))
    remember(request, response, "text_size", size)
    return response

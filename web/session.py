"""Who is asking: the session behind the cookie, the language, the text size, the time zone."""

import hashlib
import secrets
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web

from web import store
from web.access import Handler
from web.house import house_of, now_of
from web.i18n import LANGUAGE, as_language, preferred
from web.store import Account, Session

SESSION: Final = web.RequestKey("session", Session)
VISITOR: Final = web.RequestKey("visitor", str)
_RENEWED: Final = web.RequestKey("renewed", str)

_OFFICE_LASTS: Final = timedelta(hours=12)
_PHONE_LASTS: Final = timedelta(days=30)
_YEAR: Final = 365 * 24 * 3600
TEXT_SIZES: Final = ("normal", "large")


def account_of(request: web.Request) -> Account:
    """Return who is signed in; only for handlers that require somebody."""
    return request[SESSION].account


def session_of(request: web.Request) -> Session | None:
    """Return the session, or None for a visitor."""
    return request.get(SESSION)


def zone_of(request: web.Request) -> ZoneInfo:
    """Return the time zone of the account's first community."""
    session = session_of(request)
    return ZoneInfo(session.account.timezone if session else "Asia/Shanghai")


def lasts(role: str) -> timedelta:
    """Return how long a session of this role lives unused: a phone longer than an office desk."""
    return _PHONE_LASTS if role in {"technician", "resident"} else _OFFICE_LASTS


def hashed(token: str) -> bytes:
    """Return what is stored of a session's cookie."""
    return hashlib.sha256(token.encode()).digest()


@web.middleware
async def sessions(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Load the session and what a page needs to know of its reader."""
    house = house_of(request)
    language = as_language(request.cookies.get("language"))
    request[LANGUAGE] = language or preferred(request.headers.get("Accept-Language", ""))
    token = request.cookies.get(cookie_name(secure=house.secure), "")
    if token and not request.path.startswith("/static/"):
        await _load(request, token)
    if SESSION not in request:
        request[VISITOR] = request.cookies.get("visitor", "")
    return await handler(request)


async def _load(request: web.Request, token: str) -> None:
    now = now_of(request)
    async with house_of(request).pool.connection() as conn:
        session = await store.session(conn, hashed(token), now)
        if session is None:
            return
        life = lasts(session.account.role)
        if session.expires_at - now < life / 2:
            await store.extend_session(conn, session.token_hash, now + life)
            request[_RENEWED] = token
    request[SESSION] = session
    request[LANGUAGE] = session.account.language


def cookie_name(*, secure: bool) -> str:
    """Return the session cookie's name; the prefix makes browsers insist on https and one host."""
    return "__Host-session" if secure else "session"


def set_session_cookie(
    request: web.Request, response: web.StreamResponse, token: str, age: timedelta
) -> None:
    """Give the browser its session."""
    secure = house_of(request).secure
    response.set_cookie(
        cookie_name(secure=secure),
        token,
        max_age=int(age.total_seconds()),
        httponly=True,
        samesite="Lax",
        secure=secure,
        path="/",
    )


def drop_session_cookie(request: web.Request, response: web.StreamResponse) -> None:
    """Take the session away from the browser."""
    secure = house_of(request).secure
    response.del_cookie(cookie_name(secure=secure), path="/", httponly=True, samesite="Lax", secure=secure)


def remember(request: web.Request, response: web.StreamResponse, name: str, value: str) -> None:
    """Keep a choice of the reader's (language, text size) for a year."""
    response.set_cookie(
        name,
        value,
        max_age=_YEAR,
        httponly=True,
        samesite="Lax",
        secure=house_of(request).secure,
        path="/",
    )


def text_size(request: web.Request) -> str:
    """Return the chosen text size; `large` is the elderly mode."""
    size = request.cookies.get("text_size", "normal")
    return size if size in TEXT_SIZES else "normal"


def csrf_of(request: web.Request) -> str:
    """Return the token that every form of this reader carries; minted for a visitor on first need."""
    session = session_of(request)
    if session is not None:
        return session.csrf
    if not request.get(VISITOR):
        request[VISITOR] = secrets.token_urlsafe(32)
    return request[VISITOR]


@web.middleware
async def cookies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Renew the cookie of a session in use; give a visitor the one a form's token is compared with."""
    response = await handler(request)
    if response.prepared:
        return response
    if _RENEWED in request and SESSION in request:
        set_session_cookie(request, response, request[_RENEWED], lasts(request[SESSION].account.role))
    token = request.get(VISITOR)
    if token and token != request.cookies.get("visitor"):
        response.set_cookie(
            "visitor", token, httponly=True, samesite="Lax", secure=house_of(request).secure, path="/"
        )
    return response

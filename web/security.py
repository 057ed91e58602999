"""What every answer and every change has to pass: headers, roles, body size, CSRF."""

import codecs
import ipaddress
import secrets
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from aiohttp import hdrs, web
from aiohttp.http_exceptions import BadHttpMessage

from web.access import Handler, access_of
from web.errors import Refusal
from web.house import house_of
from web.render import translator
from web.session import csrf_of, session_of

_SAFE_METHODS: Final = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})
_FORM_TYPES: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
CSRF_HEADER: Final = "X-CSRF-Token"
CSRF_FIELD: Final = "csrf"

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=()",
}


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the protecting headers on every answer, errors and streams too."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.path.startswith("/static/"):
        response.headers.setdefault(hdrs.CACHE_CONTROL, "public, max-age=31536000, immutable")
    else:
        response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    if house_of(request).secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through to its handler only as the handler's access says."""
    route = request.match_info
    access = access_of(route.handler)
    if route.http_exception is not None or access is None:
        return await handler(request)  # no such page or method: aiohttp's own answer, shown by web.errors
    if any("\0" in value for value in route.values()):
        raise Refusal(404)  # no name of ours has it, and no database takes it
    session = session_of(request)
    if access.roles is not None:
        if session is None:
            return _to_sign_in(request)
        if session.account.role not in access.roles:
            raise Refusal(403)
    if request.method in _SAFE_METHODS:
        return await handler(request)
    if request.content_length is not None and request.content_length > access.body:
        raise Refusal(413)
    limited = request.clone(client_max_size=access.body)
    form = await _form(limited) if limited.content_type in _FORM_TYPES else None
    try:
        _check(limited, form)
        return await handler(limited)
    finally:
        # aiohttp itself closes only the files of a request that was not copied.
        for field in form.values() if form else ():
            if isinstance(field, web.FileField):
                field.file.close()


async def _form(request: web.Request) -> Mapping[str, object]:
    """Read a form whole; one that cannot be read, or is not UTF-8, is the sender's mistake."""
    try:
        if codecs.lookup(request.charset or "utf-8").name != "utf-8":
            raise Refusal(400)
        form = await request.post()
        for name, value in form.items():
            # The parts of a form may name an encoding of their own; what no database takes ends here.
            name.encode()
            (value.filename if isinstance(value, web.FileField) else str(value)).encode()
    except (ValueError, LookupError, RuntimeError, BadHttpMessage, AssertionError) as error:
        raise Refusal(400) from error
    return form


def _check(request: web.Request, form: Mapping[str, object] | None) -> None:
    """Refuse a change whose origin or token is not ours."""
    if not _same_origin(request):
        raise Refusal(403)
    token = request.headers.get(CSRF_HEADER) or (form or {}).get(CSRF_FIELD)
    if not isinstance(token, str) or not secrets.compare_digest(token.encode(), csrf_of(request).encode()):
        say = translator(request)
        why = say.gettext("Nothing was changed. Go back, load the page again, and repeat.")
        raise Refusal(403, why, what=say.gettext("This form is out of date"))


def _same_origin(request: web.Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get(hdrs.ORIGIN)
    return origin is None or urlsplit(origin).netloc == request.host


def _to_sign_in(request: web.Request) -> web.StreamResponse:
    if "HX-Request" in request.headers or request.method not in _SAFE_METHODS:
        return web.Response(status=401, headers={"HX-Redirect": "/sign-in"})
    if request.path == "/":
        return web.Response(status=303, headers={hdrs.LOCATION: "/sign-in"})
    return web.Response(
        status=303, headers={hdrs.LOCATION: f"/sign-in?next={quote(request.path_qs, safe='')}"}
    )


def safe_next(value: str | None) -> str:
    """Return where to go next: a path of ours, or home for anything else."""
    if not value or not value.startswith("/") or value.startswith(("//", "/\\")):
        return "/"
    if any(character < " " or character == "\\" for character in value):
        return "/"
    parts = urlsplit(value)
    return value if not parts.scheme and not parts.netloc else "/"


def address_of(request: web.Request) -> str:
    """Return the address a sign-in came from; behind a proxy of ours, the one the proxy saw last."""
    peer = request.remote or ""
    if house_of(request).behind_proxy and _is_near(peer):
        # Some proxies add a line of their own below what the sender wrote: its last address is theirs.
        lines = request.headers.getall("X-Forwarded-For", [""])
        return lines[-1].rpartition(",")[2].strip() or peer
    return peer


def _is_near(address: str) -> bool:
    """Tell whether an address is of our own network, where our proxy is."""
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return False

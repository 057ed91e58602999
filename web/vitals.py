"""What machines ask a process: /healthz, /readyz and /metrics; on the pages' port and on one of their own.

Whether it is alive and ready may be known to everybody who reaches the port. Figures, and why something is
not ready, are for this machine, and for whoever shows the token: a proxy on this machine is not this machine.
"""

import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiohttp import hdrs, web

from web.access import public

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


@dataclass(frozen=True, slots=True)
class Part:
    """One thing a process needs, whether it has it, and a sentence about it."""

    name: str
    ok: bool
    said: str


async def _no_parts() -> Sequence[Part]:
    return ()


async def _no_figures() -> bytes:
    return b""


@dataclass(frozen=True, slots=True)
class Vitals:
    """How this process is asked. `near`: whoever asks from this machine is one of us, not a proxy."""

    alive: Callable[[], Sequence[Part]] = field(default=tuple)
    ready: Callable[[], Awaitable[Sequence[Part]]] = _no_parts
    metrics: Callable[[], Awaitable[bytes]] = _no_figures
    token: str | None = None
    near: bool = True


VITALS: Final = web.AppKey("vitals", Vitals)


def routes() -> list[web.RouteDef]:
    """Return the routes of every process."""
    return [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)]


@public
async def healthz(request: web.Request) -> web.StreamResponse:
    """Say that the process is alive and its event loop turns: answering at all proves most of it."""
    return _answer(request, request.app[VITALS].alive())


@public
async def readyz(request: web.Request) -> web.StreamResponse:
    """Say whether the process can do its work now, and which part is not as it should be."""
    return _answer(request, await request.app[VITALS].ready())


@public
async def metrics(request: web.Request) -> web.StreamResponse:
    """Give the figures to Prometheus."""
    if not _may_see(request):
        said = (
            "Figures are for this machine, or for whoever sends CLERESTORY_METRICS_TOKEN as a Bearer token.\n"
        )
        return web.Response(
            status=401, text=said, headers={hdrs.WWW_AUTHENTICATE: 'Bearer realm="clerestory"'}
        )
    body = await request.app[VITALS].metrics()
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: METRICS_TYPE})


def _answer(request: web.Request, parts: Sequence[Part]) -> web.Response:
    status = 200 if all(part.ok for part in parts) else 503
    told = _may_see(request)
    if "json" in request.headers.get(hdrs.ACCEPT, ""):
        said = {part.name: {"ok": part.ok} | ({"said": part.said} if told else {}) for part in parts}
        return web.json_response({"ok": status == 200, "parts": said}, status=status)  # noqa: PLR2004 - HTTP
    lines = ["ok" if status == 200 else "not ok"]  # noqa: PLR2004 - HTTP
    for part in parts:
        line = f"{part.name}: {'ok' if part.ok else 'not ok'}"
        lines.append(f"{line}: {part.said}" if told and part.said else line)
    return web.Response(status=status, text="\n".join(lines) + "\n")


def _may_see(request: web.Request) -> bool:
    vitals = request.app[VITALS]
    token = vitals.token
    if token is not None:
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), token.encode()):
            return True
    if not vitals.near or any(name in request.headers for name in _FORWARDED):
        return False
    return _is_this_machine(request.remote or "")


def _is_this_machine(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False

"""Operations: is everything stored, does everything run, and what to do where it does not."""

from datetime import timedelta
from typing import Final

from aiohttp import web

from web import operations_store
from web.access import require
from web.house import house_of, now_of
from web.operations_views import REMEMBERED, operations
from web.render import page
from web.session import account_of

ASKED: Final = REMEMBERED + timedelta(minutes=1)


def routes() -> list[web.RouteDef]:
    """Return the routes of the operations page."""
    return [web.get("/operations", show), web.get("/operations/now", now)]


@require("administrator", "manager")
async def show(request: web.Request) -> web.StreamResponse:
    """Show the operations page."""
    return page(request, "operations/operations.html", await _context(request))


@require("administrator", "manager")
async def now(request: web.Request) -> web.StreamResponse:
    """Show the live part of the operations page."""
    return page(request, "operations/_now.html", await _context(request))


async def _context(request: web.Request) -> dict[str, object]:
    moment, seen = now_of(request), account_of(request).communities
    async with house_of(request).pool.connection() as conn:
        figures = await operations_store.house(conn, moment, seen)
        running = await operations_store.processes(conn, moment - ASKED)
    return {"ops": operations(figures, running, moment)}

"""The application: rooms of pages, put together.

To add a room of pages write `web/ROOM.py` with `routes() -> list[web.RouteDef]`; name it in `rooms()` below.

- Mark each handler with `@require(roles…)` or `@public` (web.access); photos: `@require(…, body=bytes)`.
- Answer with `page(request, "ROOM/x.html", {…})` (web.render): a whole page, or a part for htmx.
- `account_of(request)` (web.session) is who asks; `house_of(request)` (web.house) has pool and clock.
- Refuse with `raise Refusal(404)` or `raise Refusal(409, "sentence")` (web.errors).
- Templates extend `base.html`, which imports `parts.html` as `ui`; parts for htmx import it themselves
  (`{% import "parts.html" as ui with context %}`). Stored bilingual text: `{{ order.title[lang] }}`.
- Say `{{ _("English text") }}`; its Chinese goes into `locale/zh_CN/LC_MESSAGES/ROOM.po`.
- Every form carries `{{ ui.csrf_field() }}`; htmx and scripts send the token of `<meta name="csrf-token">`.
- Live: `{% block live %} hx-ext="sse" sse-connect="/events"{% endblock %}`, and in the page
  `<div hx-get="/part" hx-trigger="sse:order, sse:reconnected">`.
- A new route belongs into the matrix of tests/integration/test_web_access.py.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from functools import partial
from typing import Final

from aiohttp import web
from psycopg_pool import AsyncConnectionPool

from config.clock import Clock
from rules.versions.living import Rules
from web import (
    alarm_page,
    alarms,
    auth,
    desk,
    desk_moves,
    desk_open,
    desk_request_forms,
    desk_requests,
    device_labels,
    device_manage,
    device_new,
    device_sheets,
    device_strangers,
    devices,
    events,
    finance,
    operations,
    quiet_pages,
    records,
    requests,
    resident,
    rules_edit,
    rules_pages,
    rules_trial,
    thresholds,
    work,
    work_finish,
)
from web import (
    vitals as vital_signs,
)
from web.access import access_of
from web.errors import errors
from web.house import HOUSE, House, Retake
from web.i18n import load_catalogues
from web.live import Listen, LiveHub
from web.passwords import Passwords
from web.security import add_headers, guard
from web.session import cookies, sessions
from web.templating import STATIC_DIR, load_templates
from web.traffic import TRAFFIC, Traffic, counted
from web.vitals import VITALS, Vitals

PHOTOS_AT_ONCE: Final = 2


def rooms() -> list[web.RouteDef]:
    """Return the routes of every room."""
    return [
        *auth.routes(),
        *vital_signs.routes(),
        *events.routes(),
        *resident.routes(),
        *requests.routes(),
        *records.routes(),
        *finance.routes(),
        *work.routes(),
        *work_finish.routes(),
        *desk.routes(),
        *alarms.routes(),
        *quiet_pages.routes(),
        *alarm_page.routes(),
        *thresholds.routes(),
        *desk_open.routes(),
        *desk_moves.routes(),
        *desk_request_forms.routes(),
        *desk_requests.routes(),
        *device_new.routes(),
        *device_sheets.routes(),
        *device_strangers.routes(),
        *device_labels.routes(),
        *device_manage.routes(),
        *devices.routes(),
        *operations.routes(),
        *rules_pages.routes(),
        *rules_edit.routes(),
        *rules_trial.routes(),
    ]


def create_app(
    pool: AsyncConnectionPool,
    clock: Clock,
    *,
    listen: Listen | None = None,
    rules: Rules | None = None,
    passwords: Passwords | None = None,
    public_url: str = "",
    behind_proxy: bool = False,
    desk_phone: str = "",
    retake: Retake | None = None,
    vitals: Vitals | None = None,
    traffic: Traffic | None = None,
) -> web.Application:
    """Build the application; `listen` yields the database's changes for live pages."""
    catalogues, living = load_catalogues(), rules or Rules()
    app = web.Application(middlewares=[counted, cookies, errors, sessions, guard])
    app[TRAFFIC] = traffic or Traffic()
    app[HOUSE] = House(
        pool=pool,
        clock=clock,
        catalogues=catalogues,
        templates=load_templates(catalogues),
        hub=LiveHub(pool, listen, {"rules": partial(_learn_rules, pool, living)}),
        rules=living,
        passwords=passwords or Passwords(),
        darkroom=asyncio.Semaphore(PHOTOS_AT_ONCE),
        secure=public_url.startswith("https://"),
        behind_proxy=behind_proxy,
        desk_phone=desk_phone,
        public_url=public_url,
        retake=retake,
    )
    app[VITALS] = vitals or Vitals()
    routes = rooms()
    refuse_the_unmarked(routes)
    app.add_routes(routes)
    app.router.add_static("/static/", STATIC_DIR)
    app.on_response_prepare.append(add_headers)
    app.cleanup_ctx.append(_live)
    app.on_shutdown.append(_end_streams)
    return app


def refuse_the_unmarked(routes: Iterable[web.RouteDef]) -> None:
    """Refuse to start with a handler that does not say who may call it."""
    for route in routes:
        if access_of(route.handler) is None:
            raise RuntimeError(
                f"{route.method} {route.path} does not say who may call it: add @require or @public"
            )


async def _learn_rules(pool: AsyncConnectionPool, rules: Rules) -> None:
    """Rules were switched: charts and lists show those that are in force now."""
    async with pool.connection() as conn:
        await rules.refresh(conn)


async def _live(app: web.Application) -> AsyncIterator[None]:
    async with app[HOUSE].hub.running():
        yield


async def _end_streams(app: web.Application) -> None:
    app[HOUSE].hub.close()

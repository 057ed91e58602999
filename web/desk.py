"""The desk: the live queue by deadline, the selected order with its story, and who can go."""

from typing import Final

from aiohttp import web
from psycopg import AsyncConnection

from dispatch.policy import shipped_policy
from dispatch.status import LIVE
from dispatch.store import board, candidates, photo, story
from dispatch.store.alarm_lists import alarms_of_order
from dispatch.store.staff import technicians
from web import desk_store, photos
from web.access import OFFICE, require
from web.deadlines import pressing
from web.desk_store import OrderView
from web.desk_views import Person, moments, people, queue, suited, who_has
from web.errors import Refusal
from web.house import house_of, now_of
from web.i18n import language_of
from web.readings import facts_in_words
from web.render import page, translator
from web.session import account_of, zone_of

# What may be done to an order in each status: name, icon, words; the first is the likely one.
ACTIONS: Final = {
    "verify": "shield-check",
    "close": "check",
    "reassign": "repeat",
    "note": "message-square",
    "reopen": "rotate-cw",
    "cancel": "ban",
}


def routes() -> list[web.RouteDef]:
    """Return the routes that show the desk; what it does is in `web.desk_moves` and `web.desk_open`."""
    return [
        web.get("/desk", desk),
        web.get("/desk/queue", queue_part),
        web.get("/desk/orders/{number}", order),
        web.get("/desk/orders/{number}/live", order_part),
        web.get("/desk/orders/{number}/photos/{sha256}", order_photo),
        web.get("/desk/alarms/{alarm:[0-9]{1,18}}", alarm),
    ]


@require(*OFFICE)
async def desk(request: web.Request) -> web.StreamResponse:
    """Show the queue, and nothing selected yet."""
    async with house_of(request).pool.connection() as conn:
        context = await _queue(conn, request, selected="") | {"people": await _everybody(conn, request)}
    return page(request, "desk/desk.html", {"order": None, "alarm": None, "suited": False} | context)


@require(*OFFICE)
async def queue_part(request: web.Request) -> web.StreamResponse:
    """Return the queue alone, for the live page."""
    async with house_of(request).pool.connection() as conn:
        context = await _queue(conn, request, selected=request.query.get("selected", ""))
    return page(request, "desk/_queue.html", context)


async def _queue(conn: AsyncConnection, request: web.Request, selected: str) -> dict[str, object]:
    shown = await desk_store.community_names(conn, account_of(request).communities)
    asked = request.query.get("community", "")
    wanted = [each.id for each in shown if asked in {"", each.code}]
    read = await board(conn, wanted, now_of(request))
    language = language_of(request)
    return {
        "communities": shown,
        "community": asked if any(asked == each.code for each in shown) else "",
        "groups": [{"title": group.title[language], "rows": group.rows} for group in queue(read, language)],
        "selected": selected,
    }


async def _everybody(conn: AsyncConnection, request: web.Request) -> list[Person]:
    ids = await desk_store.staff_of(conn, account_of(request).communities)
    policy = shipped_policy()
    found = await technicians(conn, on_hold_counts=policy.matching.on_hold_counts, staff_ids=ids)
    return people(found, now_of(request), zone_of(request), language_of(request), policy)


@require(*OFFICE)
async def order(request: web.Request) -> web.StreamResponse:
    """Show one order beside the queue."""
    async with house_of(request).pool.connection() as conn:
        view = await order_or_404(conn, request)
        context = await _queue(conn, request, selected=view.number) | await _order(conn, request, view)
        live = view.status in LIVE
        if live:
            found = await candidates(conn, view.order_id, now_of(request))
            fit = suited(found, {each.name: each.status for each in view.chosen}, language_of(request))
        else:
            fit = await _everybody(conn, request)
    return page(request, "desk/desk.html", context | {"alarm": None, "suited": live, "people": fit})


@require(*OFFICE)
async def order_part(request: web.Request) -> web.StreamResponse:
    """Return the order alone, for the live page."""
    async with house_of(request).pool.connection() as conn:
        context = await _order(conn, request, await order_or_404(conn, request))
    return page(request, "desk/_order.html", context)


async def order_or_404(conn: AsyncConnection, request: web.Request) -> OrderView:
    """Return the order in the address; another community's order does not exist for this desk."""
    view = await desk_store.order_view(conn, request.match_info["number"], account_of(request).communities)
    if view is None:
        raise Refusal(404)
    return view


async def _order(conn: AsyncConnection, request: web.Request, view: OrderView) -> dict[str, object]:
    language, policy = language_of(request), shipped_policy()
    read = await board(conn, [view.community_id], now_of(request))
    row = next((each for each in read.orders if each.order_id == view.order_id), None)
    return {
        "order": view,
        "due": pressing(row.deadline, row.deadline_at) if row else None,
        "who": view.assignee or (who_has(row, language) if row else "–"),
        "skill": policy.skill_name(view.skill)[language],
        "kind": policy.kind_name(view.kind)[language],
        "chosen": [(each.name, str(each.why.get(language, ""))) for each in view.chosen],
        "actions": _actions(request, view),
        "alarms": await alarms_of_order(conn, view.order_id),
        "story": moments(await story(conn, view.order_id), language),
    }


def actions_for(status: str) -> tuple[str, ...]:
    """Return what the desk may do to an order in a status, the likely one first."""
    if status in LIVE:
        return ("reassign", "note", "cancel")
    return {
        "completed": ("verify", "reopen", "note"),
        "verified": ("close", "reopen", "note"),
        "closed": ("reopen",),
    }.get(status, ())


def _actions(request: web.Request, view: OrderView) -> list[dict[str, object]]:
    say = translator(request)
    words = {
        "verify": say.gettext("Verify"),
        "close": say.gettext("Close"),
        "reassign": say.gettext("Reassign"),
        "note": say.gettext("Add a note"),
        "reopen": say.gettext("Reopen"),
        "cancel": say.gettext("Cancel the order"),
    }
    return [
        {"name": name, "icon": ACTIONS[name], "words": words[name], "primary": place == 0}
        for place, name in enumerate(actions_for(view.status))
    ]


@require(*OFFICE)
async def order_photo(request: web.Request) -> web.StreamResponse:
    """Return a photo of an order."""
    number, sha256 = request.match_info["number"], request.match_info["sha256"]
    async with house_of(request).pool.connection() as conn:
        if not await desk_store.photo_of_order(conn, number, sha256, account_of(request).communities):
            raise Refusal(404)
        found = await photo(conn, sha256)
    if found is None:
        raise Refusal(404)
    return photos.send(found)


@require(*OFFICE)
async def alarm(request: web.Request) -> web.StreamResponse:
    """Show one alarm beside the queue; an alarm with an order shows the order."""
    alarm_id = int(request.match_info["alarm"])
    async with house_of(request).pool.connection() as conn:
        view = await desk_store.alarm_view(conn, alarm_id, account_of(request).communities)
        if view is None:
            raise Refusal(404)
        context = await _queue(conn, request, selected=f"alarm-{alarm_id}")
        context |= {"people": await _everybody(conn, request)}
    facts = facts_in_words(view.facts, view.asset_class, language_of(request))
    return page(
        request, "desk/desk.html", context | {"order": None, "alarm": view, "facts": facts, "suited": False}
    )

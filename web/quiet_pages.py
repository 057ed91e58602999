"""Mutes and declared emergencies: what is kept from people, by whom, why and until when; and ending it."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final, get_args

from aiohttp import web
from psycopg import AsyncConnection

from dispatch import quieting
from dispatch.alarm_policy import EmergencyKind
from dispatch.policy import shipped_policy
from dispatch.quieting import NewMute
from dispatch.refusals import DispatchRefusal
from dispatch.store import quiet
from web import alarm_store
from web.access import OFFICE, require
from web.alarm_page import MUTE_HOURS, choices, said_of, seconds_of, status_of, who
from web.errors import Refusal
from web.house import house_of, now_of
from web.i18n import language_of
from web.render import page
from web.session import account_of
from web.taps import fresh, go, key_of, tap_of, word_of

MUTE: Final = "{mute:[0-9]{1,9}}"

Act = Callable[[AsyncConnection, Mapping[str, object]], Awaitable[None]]


def routes() -> list[web.RouteDef]:
    """Return the routes of mutes and emergencies."""
    return [
        web.get("/alarms/mutes", mutes),
        web.post("/alarms/mutes", add_mute),
        web.post(f"/alarms/mutes/{MUTE}/lift", lift),
        web.get("/alarms/emergencies", emergencies),
        web.post("/alarms/emergencies", declare),
        web.post("/alarms/emergencies/{community}/end", end),
    ]


@require(*OFFICE)
async def mutes(request: web.Request) -> web.StreamResponse:
    """List the mutes that stand, and those that are over."""
    async with house_of(request).pool.connection() as conn:
        return page(request, "alarms/mutes.html", await _mutes(conn, request))


async def _mutes(conn: AsyncConnection, request: web.Request) -> dict[str, object]:
    seen, now, language = account_of(request).communities, now_of(request), language_of(request)
    policy = shipped_policy().alarms.mute
    return {
        "standing": await quiet.mutes(conn, seen, now, standing=True),
        "past": await quiet.mutes(conn, seen, now, standing=False, most=20),
        "where": await alarm_store.places(conn, seen),
        "rules": [(rule.code, rule.title[language]) for rule in house_of(request).book.rules],
        "titles": {rule.code: rule.title[language] for rule in house_of(request).book.rules},
        "choices": choices((hours * 3600 for hours in MUTE_HOURS), policy.longest, language),
        "usual": int(policy.usual.total_seconds()),
        "typed": {},
        "request_id": fresh,
        "fault": "",
        "faults": {},
    }


@require(*OFFICE)
async def add_mute(request: web.Request) -> web.StreamResponse:
    """Mute a community, an area, an asset or a rule for a while."""

    async def act(conn: AsyncConnection, form: Mapping[str, object]) -> None:
        place = await alarm_store.place_of(conn, _given(form, "place"), account_of(request).communities)
        if place is None:
            raise Refusal(404)
        asset = word_of(form, "asset")
        now = now_of(request)
        new = NewMute(
            community_id=place.community_id,
            why=word_of(form, "why"),
            until=now + timedelta(seconds=seconds_of(form)),
            rule=word_of(form, "rule") or None,
            asset_id=await alarm_store.asset_of(conn, place, asset) if asset else None,
            area_id=None if asset else place.area_id,
            request_id=tap_of(request, form).request_id,
        )
        rules = {rule.code for rule in house_of(request).book.rules}
        await quieting.mute(conn, new, who(request), now, rules)

    return await _act(request, act, "mutes", _mutes)


@require(*OFFICE)
async def lift(request: web.Request) -> web.StreamResponse:
    """End a mute before its time."""
    mute_id = key_of(request.match_info["mute"]) or 0

    async def act(conn: AsyncConnection, form: Mapping[str, object]) -> None:
        del form
        if not await alarm_store.may_lift(conn, mute_id, account_of(request).communities):
            raise Refusal(404)
        await quieting.lift(conn, mute_id, who(request), now_of(request))

    return await _act(request, act, "mutes", _mutes)


@require(*OFFICE)
async def emergencies(request: web.Request) -> web.StreamResponse:
    """List declared emergencies, and where one can be declared."""
    async with house_of(request).pool.connection() as conn:
        return page(request, "alarms/emergencies.html", await _emergencies(conn, request))


async def _emergencies(conn: AsyncConnection, request: web.Request) -> dict[str, object]:
    seen, language = account_of(request).communities, language_of(request)
    found = await quiet.emergencies(conn, seen)
    policy = shipped_policy().alarms.emergency
    standing = {each.community_id for each in found if each.ended_at is None}
    communities = [each for each in await alarm_store.communities(conn, seen) if each.id not in standing]
    return {
        "standing": [each for each in found if each.ended_at is None],
        "past": [each for each in found if each.ended_at is not None],
        "communities": communities,
        "kinds": {kind: policy.kinds[kind][language] for kind in get_args(EmergencyKind)},
        "held": [severity for severity in ("major", "minor", "info") if severity in policy.holds],
        "typed": {},
        "request_id": fresh,
        "fault": "",
        "faults": {},
        "ended": "",
    }


@require(*OFFICE)
async def declare(request: web.Request) -> web.StreamResponse:
    """Declare a community in an emergency."""

    async def act(conn: AsyncConnection, form: Mapping[str, object]) -> None:
        community = await _community(conn, request, _given(form, "community"))
        kind, reason = word_of(form, "kind"), word_of(form, "reason")
        await quieting.declare(conn, community, kind, reason, who(request), now_of(request))

    return await _act(request, act, "emergencies", _emergencies)


@require(*OFFICE)
async def end(request: web.Request) -> web.StreamResponse:
    """End a community's emergency."""

    async def act(conn: AsyncConnection, form: Mapping[str, object]) -> None:
        community = await _community(conn, request, request.match_info["community"])
        await quieting.end_emergency(conn, community, word_of(form, "reason"), who(request), now_of(request))

    return await _act(request, act, "emergencies", _emergencies)


def _given(form: Mapping[str, object], name: str) -> str:
    """Return a choice that our forms always send."""
    value = word_of(form, name)
    if not value:
        raise Refusal(400)
    return value


async def _community(conn: AsyncConnection, request: web.Request, code: str) -> int:
    known = await alarm_store.communities(conn, account_of(request).communities)
    found = next((each.id for each in known if each.code == code), None)
    if found is None:
        raise Refusal(404)
    return found


async def _act(
    request: web.Request,
    act: Act,
    where: str,
    context: Callable[[AsyncConnection, web.Request], Awaitable[dict[str, object]]],
) -> web.StreamResponse:
    """Do it and show the list again; what is refused is said beside what was typed, or above the forms."""
    form = await request.post()
    tap_of(request, form)
    async with house_of(request).pool.connection() as conn:
        try:
            async with conn.transaction():
                await act(conn, form)
        except DispatchRefusal as refusal:
            # Which of several forms it was: an emergency that stands is ended by its own.
            sent = {"typed": dict(form), "ended": request.match_info.get("community", "")}
            shown = await context(conn, request) | sent | said_of(request, refusal)
            return page(request, f"alarms/{where}.html", shown, status=status_of(refusal))
    return go(f"/alarms/{where}")

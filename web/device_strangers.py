"""Devices that publish and are not registered: a list with what they said; adopt them, or ignore them."""

from typing import Final

from aiohttp import web

from gateway.devices import strangers
from gateway.devices.draft import CODE
from gateway.devices.payloads import readable, readable_name
from gateway.devices.strangers import MOST_COUNTED, NATIVE, RADIO
from web import device_place_store
from web.access import KEEPERS, require
from web.house import house_of, now_of
from web.render import page
from web.session import account_of
from web.taps import go, word_of

LONGEST_NAME: Final = 300


def routes() -> list[web.RouteDef]:
    """Return the routes of the strangers' page."""
    return [
        web.get("/devices/strangers", show),
        web.post("/devices/ignore", ignore),
        web.post("/devices/heed", heed),
    ]


@require(*KEEPERS)
async def show(request: web.Request) -> web.StreamResponse:
    """List who publishes without being registered, heard last first; or those that are ignored."""
    ignored = "ignored" in request.query
    search = request.query.get("q", "").replace("\0", "").strip()[:LONGEST_NAME]
    async with house_of(request).pool.connection() as conn:
        known = await device_place_store.communities(conn, account_of(request).communities)
        found = await strangers.latest(conn, [each.code for each in known], ignored=ignored, search=search)
    return page(
        request,
        "registry/strangers.html",
        {
            "strangers": [
                {
                    "each": each,
                    "name": readable_name(each.dev_eui or each.code),
                    "topic": readable_name(each.topic),
                    "text": readable(each.payload),
                    "fits": bool(each.dev_eui or CODE.fullmatch(each.code)),
                }
                for each in found
            ],
            "ignored": ignored,
            "q": search,
            "counted": MOST_COUNTED,
            "shown": strangers.MOST_SHOWN,
        },
    )


async def _speaker(request: web.Request) -> str | None:
    """The stranger a form is about, if the account may see it."""
    speaker = word_of(await request.post(), "speaker")[:LONGEST_NAME]
    async with house_of(request).pool.connection() as conn:
        known = await device_place_store.communities(conn, account_of(request).communities)
    mine = tuple(f"{NATIVE}{each.code}/" for each in known)
    return speaker if speaker.startswith((RADIO, *mine)) else None


@require(*KEEPERS)
async def ignore(request: web.Request) -> web.StreamResponse:
    """Show a stranger no more."""
    speaker = await _speaker(request)
    if speaker is not None:
        async with house_of(request).pool.connection() as conn:
            await strangers.ignore(conn, speaker, now_of(request), account_of(request).id)
    return go("/devices/strangers")


@require(*KEEPERS)
async def heed(request: web.Request) -> web.StreamResponse:
    """Show an ignored stranger again."""
    speaker = await _speaker(request)
    if speaker is not None:
        async with house_of(request).pool.connection() as conn:
            await strangers.heed(conn, speaker)
    return go("/devices/strangers?ignored")

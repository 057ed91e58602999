"""Labels for devices, one or a sheet of them, and where somebody lands who scans one."""

import asyncio
from typing import Final

from aiohttp import web

from web import device_place_store
from web.access import KEEPERS, OFFICE, require
from web.device_place_store import MOST_LABELS
from web.errors import Refusal
from web.house import house_of
from web.qr import label_address, qr_code
from web.render import page
from web.session import account_of
from web.taps import go

LONGEST: Final = 200


def routes() -> list[web.RouteDef]:
    """Return the routes of labels and of what they lead to."""
    return [
        web.get("/devices/labels", labels),
        web.get("/devices/{community}/{code}/label", label),
        web.get("/d/{community}/{code}", landing),
    ]


@require(*KEEPERS)
async def label(request: web.Request) -> web.StreamResponse:
    """Show one device's label."""
    match = request.match_info
    async with house_of(request).pool.connection() as conn:
        found = await device_place_store.placed(
            conn, match["community"], match["code"], account_of(request).communities
        )
    if found is None:
        raise Refusal(404)
    shown = [(found, qr_code(label_address(request, found.community, found.code)))]
    return page(request, "registry/labels.html", {"labels": shown, "one": found, "q": "", "more": False})


@require(*KEEPERS)
async def labels(request: web.Request) -> web.StreamResponse:
    """Show the labels of the devices that fit the words searched for, on A4 sheets."""
    words = request.query.get("q", "").replace("\0", "").strip()[:LONGEST]
    async with house_of(request).pool.connection() as conn:
        found = await device_place_store.all_placed(conn, account_of(request).communities, words)
    addresses = [label_address(request, each.community, each.code) for each in found[:MOST_LABELS]]
    # Drawing so many takes a moment, in which others are not to wait.
    codes = await asyncio.to_thread(lambda: [qr_code(address) for address in addresses])
    shown = list(zip(found, codes, strict=False))
    return page(
        request,
        "registry/labels.html",
        {"labels": shown, "one": None, "q": words, "more": len(found) > MOST_LABELS},
    )


@require(*OFFICE, "technician", "resident")
async def landing(request: web.Request) -> web.StreamResponse:
    """Lead on who scanned a label: the office to the device, technicians to jobs, residents to a request."""
    match, account = request.match_info, account_of(request)
    async with house_of(request).pool.connection() as conn:
        found = await device_place_store.placed(conn, match["community"], match["code"], account.communities)
        if found is None:
            raise Refusal(404)
        if account.role in OFFICE:
            return go(f"/devices/{found.community}/{found.code}")
        if account.role == "resident":
            return go("/requests/new")
        jobs = (
            await device_place_store.jobs_here(conn, found.asset_id, account.staff_id)
            if found.asset_id is not None and account.staff_id is not None
            else []
        )
    phone = house_of(request).desk_phone
    return page(request, "registry/landing.html", {"device": found, "jobs": jobs, "desk_phone": phone})

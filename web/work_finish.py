"""Finishing a job: photos, the checklist, a look at what will be recorded, and the confirmation."""

import asyncio
from datetime import datetime
from typing import Final

from aiohttp import web
from psycopg import AsyncConnection

from config.text import Text
from dispatch import photos, records
from dispatch.people import By
from dispatch.policy import shipped_policy
from dispatch.records import Completion
from dispatch.refusals import BadField, BadPhoto, ChecklistIncomplete, DispatchRefusal
from dispatch.store import JobCard, job_card
from web.access import require
from web.errors import Refusal
from web.finish import FinishForm, complete_form, read_form, review_lines
from web.house import House, house_of, now_of
from web.i18n import language_of
from web.render import page
from web.taps import fresh, go, tap_of
from web.work import gone, job_page, read_job, refused, staff_of, standing_or_404

PHOTO_BYTES: Final = shipped_policy().photos.largest_bytes
_FORM_AROUND: Final = 64 * 1024


def routes() -> list[web.RouteDef]:
    """Return the routes of finishing a job."""
    return [
        web.post("/work/{number}/photos", add_photo),
        web.post("/work/{number}/review", review),
        web.post("/work/{number}/edit", edit),
        web.post("/work/{number}/complete", complete),
    ]


@require("technician", body=PHOTO_BYTES + _FORM_AROUND)
async def add_photo(request: web.Request) -> web.StreamResponse:
    """Keep a photo of the work; answers the strip of photos, or the page for a plain form."""
    form = await request.post()
    sent = form.get("photo")
    content = sent.file.read() if isinstance(sent, web.FileField) else b""
    staff_id, now = staff_of(request), now_of(request)
    by = tap_of(request, form, staff_id=staff_id)
    house = house_of(request)
    async with house.pool.connection() as conn:
        stand = await standing_or_404(conn, request, staff_id)
    photo = await _made_small(house, content)
    async with house.pool.connection() as conn:
        try:
            if isinstance(photo, BadPhoto):
                raise photo
            async with conn.transaction():
                await photos.add(conn, stand.order_id, by, photo, now)
        except DispatchRefusal as refusal:
            if "HX-Request" in request.headers:
                return web.Response(text=refusal.text[language_of(request)], status=422)
            return await refused(conn, request, stand, refusal.text)
        card = await job_card(conn, staff_id, stand.order_id, now)
    if "HX-Request" not in request.headers:
        return go(f"/work/{stand.number}#photos-title")
    if card is None:
        return gone(request, stand)
    return page(request, "work/_photos.html", {"card": card})


async def _made_small(house: House, content: bytes) -> photos.Prepared | BadPhoto:
    """Make a photo small, or give what is wrong with it. It takes a while, so nobody's connection waits."""
    async with house.darkroom:
        try:
            return await asyncio.to_thread(photos.prepare, content)
        except BadPhoto as bad:
            return bad


@require("technician")
async def review(request: web.Request) -> web.StreamResponse:
    """Show once more what will be recorded, or the form with what is still wrong."""
    stand, card = await read_job(request)
    if card is None:
        return gone(request, stand)
    form = await _sent(request, card)
    judged = complete_form(form, card.checklist, shipped_policy().results, language_of(request))
    if isinstance(judged, dict):
        return _mistaken(request, card, form, judged)
    return page(
        request,
        "work/review.html",
        {
            "card": card,
            "form": form,
            "fields": form.fields(),
            "lines": review_lines(form, card.checklist, language_of(request)),
            "result": shipped_policy().results[form.result][language_of(request)],
            "request_id": fresh,
        },
    )


@require("technician")
async def edit(request: web.Request) -> web.StreamResponse:
    """Go back from the review with everything still filled in."""
    stand, card = await read_job(request)
    if card is None:
        return gone(request, stand)
    return job_page(request, card, await _sent(request, card))


@require("technician")
async def complete(request: web.Request) -> web.StreamResponse:
    """Finish the work: the record is written and never changed afterwards."""
    staff_id, now = staff_of(request), now_of(request)
    sent = await request.post()
    by = tap_of(request, sent, staff_id=staff_id)
    async with house_of(request).pool.connection() as conn:
        stand = await standing_or_404(conn, request, staff_id)
        if stand.record_id is not None and stand.status == "completed":
            return go(f"/work?finished={stand.number}")  # the double tap of a finished job
        card = await job_card(conn, staff_id, stand.order_id, now)
        if card is None:
            return gone(request, stand)
        form = await _sent(request, card)
        judged = complete_form(form, card.checklist, shipped_policy().results, language_of(request))
        try:
            await _record(conn, stand.order_id, by, judged, now)
        except ChecklistIncomplete as refusal:
            return _mistaken(request, card, form, refusal.faults)
        except BadField as refusal:
            return _mistaken(request, card, form, {refusal.field: refusal.right})
        except DispatchRefusal as refusal:
            return await refused(conn, request, stand, refusal.text)
    return go(f"/work?finished={stand.number}")


async def _record(
    conn: AsyncConnection, order_id: int, by: By, judged: Completion | dict[str, Text], now: datetime
) -> None:
    if isinstance(judged, dict):
        raise ChecklistIncomplete(judged)
    async with conn.transaction():
        await records.complete(conn, order_id, by, judged, now)


async def _sent(request: web.Request, card: JobCard) -> FinishForm:
    return read_form(await request.post(), card.checklist)


def _mistaken(request: web.Request, card: JobCard, form: FinishForm, found: dict[str, Text]) -> web.Response:
    if card.job.status != "in_progress":
        raise Refusal(409)
    return job_page(request, card, form.with_faults(found), status=422)

"""One refused message of a device: what it said, why it was refused, and another try."""

import json
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from gateway.refusals import REASONS
from web import device_store
from web.access import OFFICE, require
from web.device_finding import device_or_404
from web.device_store import DeviceRow, Letter
from web.errors import Refusal
from web.house import house_of
from web.i18n import language_of
from web.render import page, translator
from web.taps import go, key_of

SHOWN_BYTES: Final = 4096


def routes() -> list[web.RouteDef]:
    """Return the routes of refused messages."""
    return [
        web.get("/devices/{community}/{code}/letters/{letter}", letter),
        web.post("/devices/{community}/{code}/letters/{letter}", retry),
    ]


def reasons(request: web.Request) -> Mapping[str, str]:
    """Return the words for each reason to refuse a message."""
    return {code: words[language_of(request)] for code, words in REASONS.items()}


async def _letter_or_404(request: web.Request) -> tuple[DeviceRow, Letter]:
    letter_id = key_of(request.match_info["letter"])
    async with house_of(request).pool.connection() as conn:
        shown = await device_or_404(conn, request)
        found = None if letter_id is None else await device_store.letter(conn, shown, letter_id)
    if found is None:
        raise Refusal(404)
    return shown, found


@require(*OFFICE)
async def letter(request: web.Request) -> web.StreamResponse:
    """Show a refused message whole, and what became of it."""
    shown, found = await _letter_or_404(request)
    return page(
        request,
        "device/letter.html",
        {
            "device": shown,
            "letter": found,
            "reason": reasons(request).get(found.reason, found.reason),
            "said": readable(found.payload),
            "cut": len(found.payload) > SHOWN_BYTES,
            "may_retry": house_of(request).retake is not None and found.resolved_at is None,
            "tried": request.query.get("tried") == "again",
        },
    )


@require(*OFFICE)
async def retry(request: web.Request) -> web.StreamResponse:
    """Take the message as if it had just arrived; its page then says what became of it."""
    shown, found = await _letter_or_404(request)
    retake = house_of(request).retake
    if retake is None:
        raise Refusal(409, translator(request).gettext("Messages cannot be tried again from here."))
    if found.resolved_at is None:  # a second tap finds it taken, and changes nothing
        await retake(found.id)
    return go(f"/devices/{shown.community}/{shown.code}/letters/{found.id}?tried=again")


def readable(payload: bytes) -> str:
    """Return what a message said as people can read it: its JSON laid out, its text, or its bytes in hex."""
    head = payload[:SHOWN_BYTES]
    if len(payload) > SHOWN_BYTES:
        return head.decode(errors="replace")
    try:
        text = head.decode()
    except UnicodeDecodeError:
        return head.hex(" ")
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text

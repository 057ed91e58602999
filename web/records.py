"""The record of work that a resident can read: a certificate, its photos, and how to check it."""

from dataclasses import replace

from aiohttp import web
from psycopg import AsyncConnection

import billing.store
from config.text import Text
from dispatch.store import CheckedItem, RecordView, chain_status, photo, record_view
from web import photos, resident_store
from web.access import OFFICE, require
from web.errors import Refusal
from web.house import house_of
from web.redaction import redact, technician
from web.render import page
from web.session import account_of
from web.store import Account


def routes() -> list[web.RouteDef]:
    """Return the routes of records and photos."""
    return [
        web.get("/records/{record_id:\\d{1,18}}", record),
        web.get("/photos/{sha256:[0-9a-f]{64}}", photo_file),
    ]


@require()
async def record(request: web.Request) -> web.StreamResponse:
    """Show one maintenance record, redacted for a resident, with what its chain proves."""
    account, record_id = account_of(request), int(request.match_info["record_id"])
    async with house_of(request).pool.connection() as conn:
        found = await record_view(conn, record_id)
        if found is None or not await may_see(conn, account, found):
            raise Refusal(404)
        status = await chain_status(conn, record_id)
        who = Text(zh=found.technician, en=found.technician)
        if account.role == "resident":
            who = technician(found.technician)
            found = for_resident(found, await resident_store.units_of_party(conn, account.party_id or 0))
    return page(request, "resident/record.html", {"record": found, "technician": who, "chain": status})


async def may_see(conn: AsyncConnection, account: Account, found: RecordView) -> bool:
    """Tell whether the account may read the record: staff of its community, or a resident it served."""
    if account.role == "resident":
        return await billing.store.party_may_see_record(conn, account.party_id or 0, found.record_id)
    return found.community_id in account.communities


def for_resident(found: RecordView, own_units: list[str]) -> RecordView:
    """Return the record without other people's data."""
    names = (found.technician,)

    def clean(text: str) -> str:
        return redact(text, own_units=own_units, names=names)

    def both(text: Text) -> Text:
        return Text(zh=clean(text.zh), en=clean(text.en))

    def item(checked: CheckedItem) -> CheckedItem:
        return replace(checked, value=both(checked.value), remark=clean(checked.remark))

    return replace(
        found,
        technician="",
        place=both(found.place),
        summary=both(found.summary),
        result=both(found.result),
        checklist=tuple(item(checked) for checked in found.checklist),
        parts=tuple((clean(name), amount) for name, amount in found.parts),
    )


@require()
async def photo_file(request: web.Request) -> web.StreamResponse:
    """Send a photo to those who may see the work it shows."""
    account, sha256 = account_of(request), request.match_info["sha256"]
    async with house_of(request).pool.connection() as conn:
        found = await photo(conn, sha256)
        if found is None or not await _may_see_photo(conn, account, sha256, found.order_ids):
            raise Refusal(404)
    return photos.send(found)


async def _may_see_photo(
    conn: AsyncConnection, account: Account, sha256: str, order_ids: tuple[int, ...]
) -> bool:
    if account.role in OFFICE or account.role == "finance":
        return bool(await resident_store.communities_of_orders(conn, order_ids) & set(account.communities))
    if account.staff_id is not None and await resident_store.has_order(conn, account.staff_id, order_ids):
        return True
    # Else the photo must be part of a record that this account may read.
    for record_id in await resident_store.records_of_orders(conn, order_ids):
        found = await record_view(conn, record_id)
        if found is not None and sha256 in found.photos and await may_see(conn, account, found):
            return True
    return False

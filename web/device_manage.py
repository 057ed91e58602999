"""A device's registration: what waits for it, its credential, what was changed by whom, and the way back."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import web
from psycopg import AsyncConnection

from config.profiles import load_profiles
from config.text import Language, Text
from dispatch import leaving
from gateway.devices import adopting, credentials, listing, store
from gateway.devices.draft import shown_value
from gateway.devices.issuing import NotIssued, speaks, subject_of_device
from gateway.devices.register import DeviceRefused, Hand
from gateway.devices.store import Change
from web import device_place_store
from web.access import KEEPERS, require
from web.device_new import device_or_404
from web.errors import Refusal
from web.house import house_of, now_of
from web.i18n import language_of
from web.qr import label_address, qr_code
from web.render import page
from web.session import account_of
from web.taps import go, key_of, word_of

_COLUMNS: Final = {
    "asset_id": Text(zh="资产", en="asset"),
    "profile": Text(zh="型号", en="profile"),
    "dev_eui": Text(zh="DevEUI", en="DevEUI"),
}


def routes() -> list[web.RouteDef]:
    """Return the routes of a device's registration."""
    return [
        web.get("/devices/{community}/{code}/manage", manage),
        web.get("/devices/{community}/{code}/waiting", waiting),
        web.post("/devices/{community}/{code}/retire", retire),
        web.post("/devices/{community}/{code}/bring-back", bring_back),
        web.post("/devices/{community}/{code}/undo", undo),
        web.post("/devices/{community}/{code}/issue", issue),
        web.post("/devices/{community}/{code}/revoke", revoke),
    ]


@dataclass(frozen=True, slots=True)
class ChangeShown:
    """A change in words: each different value from what to what. `can_undo`: nothing was changed since."""

    id: int
    what: str
    at: datetime
    who: str
    via: str
    values: tuple[tuple[str, str, str], ...]
    can_undo: bool


@require(*KEEPERS)
async def manage(request: web.Request) -> web.StreamResponse:
    """Show how a device is registered."""
    language = language_of(request)
    async with house_of(request).pool.connection() as conn:
        device = await device_or_404(conn, request)
        changes = await store.changes(conn, device.device_id)
        codes = await store.asset_codes(conn, _assets_in(changes))
        credential = await credentials.of_device(conn, device.device_id)
        events = await credentials.events(conn, credential.id) if credential else []
        placed = await device_place_store.placed(
            conn, device.community, device.code, account_of(request).communities
        )
        progress = await adopting.progress(conn, device.device_id)
    profiles, rules = load_profiles(), listing.rule_attributes(house_of(request).book)
    profile = profiles.by_name.get(device.profile)
    known = listing.attributes_of(profile.asset_class, rules) if profile else {}
    return page(
        request,
        "registry/manage.html",
        {
            "device": device,
            "placed": placed,
            "profile": profile,
            "attributes": [
                (listing.label_of(name, known.get(name))[language], shown_value(value))
                for name, value in device.attributes.items()
            ],
            "changes": [_shown(each, codes, language) for each in changes],
            "credential": credential,
            "events": events,
            "speaks": speaks(device),
            "progress": progress,
        },
    )


def _assets_in(changes: list[Change]) -> set[int]:
    rows = [row for each in changes for row in (each.before, each.after) if row]
    return {row["asset_id"] for row in rows if row["asset_id"] is not None}


def _shown(change: Change, codes: Mapping[int, str], language: Language) -> ChangeShown:
    before, after = change.before or {}, change.after
    values: list[tuple[str, str, str]] = []
    if change.before is not None:
        for name, label in _COLUMNS.items():
            if before.get(name) != after.get(name):
                was, now = (_value(row.get(name), name, codes) for row in (before, after))
                values.append((label[language], was, now))
        old, new = before.get("attributes", {}), after.get("attributes", {})
        values += [
            (name, _value(old.get(name), "", codes), _value(new.get(name), "", codes))
            for name in {**old, **new}
            if old.get(name) != new.get(name)
        ]
    return ChangeShown(
        change.id,
        change.what,
        change.at,
        change.who,
        change.via,
        tuple(values),
        can_undo=change.newest and not change.undone and change.what != "undone",
    )


def _value(value: Any, name: str, codes: Mapping[int, str]) -> str:  # noqa: ANN401 - whatever JSON keeps
    if value is None:
        return "–"
    return codes.get(value, "–") if name == "asset_id" else shown_value(value)


@require(*KEEPERS)
async def waiting(request: web.Request) -> web.StreamResponse:
    """Return how far the messages are that came before the device was registered, for the live page."""
    async with house_of(request).pool.connection() as conn:
        device = await device_or_404(conn, request)
        progress = await adopting.progress(conn, device.device_id)
    return page(request, "registry/_waiting.html", {"device": device, "progress": progress})


Act = Callable[[AsyncConnection, int, Hand], Awaitable[None]]


async def _act(request: web.Request, act: Act) -> web.StreamResponse:
    hand = Hand(now_of(request), "page", account_of(request).id)
    async with house_of(request).pool.connection() as conn:
        device = await device_or_404(conn, request)
        try:
            async with conn.transaction():
                await act(conn, device.device_id, hand)
        except DeviceRefused as refused:
            raise Refusal(409, refused.text[language_of(request)]) from refused
    return go(f"/devices/{device.community}/{device.code}/manage")


@require(*KEEPERS)
async def retire(request: web.Request) -> web.StreamResponse:
    """Take the device out of use."""
    return await _act(request, leaving.retire)


@require(*KEEPERS)
async def bring_back(request: web.Request) -> web.StreamResponse:
    """Take the device into use again."""
    return await _act(request, leaving.bring_back)


@require(*KEEPERS)
async def undo(request: web.Request) -> web.StreamResponse:
    """Undo the newest change."""
    change = key_of(word_of(await request.post(), "change"))

    async def act(conn: AsyncConnection, device_id: int, hand: Hand) -> None:
        await leaving.undo(conn, change or 0, device_id, hand)

    return await _act(request, act)


@require(*KEEPERS)
async def issue(request: web.Request) -> web.StreamResponse:
    """Issue a new credential and show it, this once; on a label where asked."""
    on_label = bool(word_of(await request.post(), "on_label"))
    async with house_of(request).pool.connection() as conn:
        device = await device_or_404(conn, request)
        try:
            subject = subject_of_device(device)
        except NotIssued as refused:
            raise Refusal(409) from refused
        async with conn.transaction():
            issued = await credentials.issue(conn, subject, now_of(request), account_of(request).id)
        placed = await device_place_store.placed(
            conn, device.community, device.code, account_of(request).communities
        )
    return page(
        request,
        "registry/issued.html",
        {
            "device": device,
            "each": placed,
            "issued": issued,
            "on_label": on_label,
            "qr": qr_code(label_address(request, device.community, device.code)),
        },
    )


@require(*KEEPERS)
async def revoke(request: web.Request) -> web.StreamResponse:
    """Let the device's credential be worth nothing."""
    async with house_of(request).pool.connection() as conn:
        device = await device_or_404(conn, request)
        async with conn.transaction():
            name = f"{device.community}/{device.code}"
            await credentials.revoke(conn, name, now_of(request), account_of(request).id)
    return go(f"/devices/{device.community}/{device.code}/manage")

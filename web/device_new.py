"""Registering one device, a stranger that publishes already, or changing what is registered."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from aiohttp import web
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation

from config.profiles import load_profiles
from config.text import Text
from dispatch import leaving
from gateway.delivery import Delivery
from gateway.devices import guessing, store, strangers
from gateway.devices.draft import CODE, Fault, Fit, Registered
from gateway.devices.payloads import readable, readable_name
from gateway.devices.register import GoneMeanwhile, Hand
from gateway.devices.strangers import NATIVE, RADIO, Message
from gateway.known import Window
from web import device_place_store
from web.access import KEEPERS, require
from web.device_forms import (
    DeviceForm,
    assets_of,
    fields_of,
    form_of,
    judge_form,
    profiles_shown,
    read_form,
    seen_of,
)
from web.errors import Refusal
from web.house import house_of, now_of
from web.i18n import language_of
from web.render import page
from web.session import account_of
from web.taps import go

MESSAGES: Final = 5
_ANY_TIME: Final = Window(timedelta(days=36_500))
_TAKEN: Final = Text(
    zh="这个编码或 DevEUI 刚被别的设备占用，请换一个",
    en="Another device has just taken this code or DevEUI; choose another",
)
_CHANGED: Final = Text(
    zh="您填写时有人改了这台设备，您的修改尚未保存。请先看“登记”页上的修改记录；再次保存将覆盖对方的修改",
    en="Somebody changed this device while you were typing, so nothing was saved. See what was changed on its registration; saving again replaces that",  # noqa: E501
)


def routes() -> list[web.RouteDef]:
    """Return the routes of registering and changing a device."""
    return [
        web.get("/devices/new", new),
        web.post("/devices/new", create),
        web.get("/devices/find-asset", find_asset),
        web.get("/devices/fields", fields),
        web.get("/devices/{community}/{code}/edit", edit),
        web.post("/devices/{community}/{code}/edit", change),
    ]


async def device_or_404(conn: AsyncConnection, request: web.Request) -> Registered:
    """Return the device of the address, retired or not, where the account may see it."""
    match = request.match_info
    found = await store.device_named(conn, match["community"], match["code"])
    if found is None or found.community_id not in account_of(request).communities:
        raise Refusal(404)
    return found


@require(*KEEPERS)
async def new(request: web.Request) -> web.StreamResponse:
    """Show the form of a new device; for a stranger, with what it said."""
    form = read_form(request.query)
    async with house_of(request).pool.connection() as conn:
        return await _form(conn, request, form, ())


@require(*KEEPERS)
async def create(request: web.Request) -> web.StreamResponse:
    """Register the device; its waiting messages are taken by the worker."""
    form = read_form(await request.post())
    hand = Hand(now_of(request), "adoption" if form.speaker else "page", account_of(request).id)
    async with house_of(request).pool.connection() as conn:
        judged = await judge_form(conn, request, form)
        if isinstance(judged, Fit) and form.speaker:
            judged = _same_speaker(judged, form.speaker) or judged
        if not isinstance(judged, Fit):
            return await _form(conn, request, form, judged, status=422)
        try:
            async with conn.transaction():
                await leaving.apply(conn, [judged], hand)
        except UniqueViolation:
            return await _form(conn, request, form, [Fault("code", form.code, _TAKEN)], status=409)
    return go(f"/devices/{judged.community}/{judged.code}/manage")


def _same_speaker(fit: Fit, speaker: str) -> list[Fault]:
    """Refuse to register a stranger under a name by which its messages would not be known."""
    if speaker in strangers.speakers_of(fit.community, fit.code, fit.dev_eui):
        return []
    name = "dev_eui" if speaker.startswith(RADIO) else "code"
    right = speaker.removeprefix(RADIO).removeprefix(NATIVE)
    text = Text(
        zh=f"它以 {right} 上报，登记时须一致", en=f"It publishes as {right}; it is registered as that"
    )
    return [Fault(name, fit.dev_eui or "" if name == "dev_eui" else fit.code, text)]


@require(*KEEPERS)
async def edit(request: web.Request) -> web.StreamResponse:
    """Show the form of a device as it stands."""
    async with house_of(request).pool.connection() as conn:
        device = await device_or_404(conn, request)
        typed = read_form(request.query)
        form = form_of(device) if "profile" not in request.query else typed
        form = form if form.seen else _with(form, seen=seen_of(device))
        return await _form(conn, request, form, (), of=device)


@require(*KEEPERS)
async def change(request: web.Request) -> web.StreamResponse:
    """Change the device: its profile, its asset, its DevEUI, its attributes."""
    sent = read_form(await request.post())
    async with house_of(request).pool.connection() as conn:
        device = await device_or_404(conn, request)
        form = DeviceForm(
            **{name: getattr(sent, name) for name in DeviceForm.__dataclass_fields__}
            | {"community": device.community, "code": device.code}
        )
        if form.seen != seen_of(device):
            fresh, faults = _with(form, seen=seen_of(device)), [Fault("code", device.code, _CHANGED)]
            return await _form(conn, request, fresh, faults, of=device, status=409)
        judged = await judge_form(conn, request, form, of=device)
        if not isinstance(judged, Fit):
            return await _form(conn, request, form, judged, of=device, status=422)
        try:
            async with conn.transaction():
                hand = Hand(now_of(request), "page", account_of(request).id)
                await leaving.apply(conn, [judged], hand)
        except (UniqueViolation, GoneMeanwhile) as error:
            text = error.text if isinstance(error, GoneMeanwhile) else _TAKEN
            return await _form(conn, request, form, [Fault("code", device.code, text)], of=device, status=409)
    return go(f"/devices/{device.community}/{device.code}/manage")


@require(*KEEPERS)
async def find_asset(request: web.Request) -> web.StreamResponse:
    """Return the assets that fit the words typed."""
    form = read_form(request.query)
    async with house_of(request).pool.connection() as conn:
        found = await assets_of(conn, request, form)
    return page(request, "found_assets.html", {"assets": found, "form": form})


@require(*KEEPERS)
async def fields(request: web.Request) -> web.StreamResponse:
    """Return the fields that a profile needs."""
    form = read_form(request.query)
    shown = fields_of(request, form, language_of(request))
    return page(request, "registry/_fields.html", {"fields": shown, "form": form, "faults": {}})


async def _form(
    conn: AsyncConnection,
    request: web.Request,
    form: DeviceForm,
    faults: Sequence[Fault],
    *,
    of: Registered | None = None,
    status: int = 200,
) -> web.Response:
    """Show the form of a new device, or of one that is there, with what is wrong beside each field."""
    account = account_of(request)
    communities = await device_place_store.communities(conn, account.communities)
    messages: list[Message] = []
    if form.speaker and _may_see(form.speaker, [each.code for each in communities]):
        messages = await strangers.messages(conn, form.speaker, MESSAGES)
        form = _named(form, communities[0].code if communities else "")
    deliveries = [Delivery(each.topic, each.payload, each.received_at) for each in messages]
    ranked = guessing.likely_profiles(deliveries, load_profiles(), _ANY_TIME) if deliveries else ()
    if not form.profile and ranked and ranked[0][1]:
        form = _with(form, profile=ranked[0][0].name)
    return page(
        request,
        "registry/form.html",
        {
            "form": form,
            "of": of,
            "faults": {fault.field: fault.right for fault in reversed(faults)},
            "communities": communities,
            "profiles": profiles_shown(ranked),
            "assets": await assets_of(conn, request, form),
            "fields": fields_of(request, form, language_of(request)),
            "messages": [(each, readable_name(each.topic), readable(each.payload)) for each in messages],
            "unfit": bool(form.speaker.startswith(NATIVE) and not CODE.fullmatch(form.code)),
        },
        status=status,
    )


def _may_see(speaker: str, communities: Sequence[str]) -> bool:
    return speaker.startswith(RADIO) or speaker.split("/")[1:2] in [[each] for each in communities]


def _named(form: DeviceForm, community: str) -> DeviceForm:
    """The form with the name by which a stranger publishes."""
    if form.speaker.startswith(NATIVE):
        home, _, code = form.speaker.removeprefix(NATIVE).partition("/")
        return _with(form, community=home, code=code)
    eui = form.speaker.removeprefix(RADIO)
    return _with(form, dev_eui=eui, code=form.code or f"lora-{eui}", community=form.community or community)


def _with(form: DeviceForm, **changes: str) -> DeviceForm:
    return DeviceForm(**{name: getattr(form, name) for name in DeviceForm.__dataclass_fields__} | changes)

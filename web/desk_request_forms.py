"""The desk's forms about requests: one taken by phone or at the front desk, and work opened for one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, get_args

from aiohttp import web
from psycopg import AsyncConnection

from config.text import Text, printable
from desk import store, tickets
from desk.tickets import Channel, NewTicket
from dispatch.orders import NewOrder
from dispatch.refusals import BadField, DispatchRefusal
from web import desk_store, request_store
from web.access import OFFICE, require
from web.desk_open import (
    TAP_KNOWN_FOR,
    TITLE_LENGTH,
    OpenedFrom,
    OpenForm,
    beside,
    judge,
    open_form,
    read_open_form,
)
from web.desk_requests import REFUSALS, ticket_or_404, ticket_page
from web.house import house_of, now_of
from web.i18n import language_of
from web.render import page
from web.request_store import Household
from web.requests import KINDS, NUMBER, WRONG_KIND, WRONG_LENGTH, says_something
from web.session import account_of
from web.taps import fresh, go, key_of, tap_of, word_of

CHANNELS: Final[tuple[Channel, ...]] = tuple(each for each in get_args(Channel) if each != "page")
SENT: Final = Text(zh="已开工单，师傅会尽快处理。", en="A work order is open; a technician will see to it.")


@dataclass(frozen=True, slots=True)
class CallForm:
    """The form of a call as typed."""

    community: str = ""
    unit: str = ""
    kind: str = ""
    channel: str = ""
    body: str = ""


def read_call_form(form: Mapping[str, object]) -> CallForm:
    """Read the form as sent."""
    return CallForm(**{name: word_of(form, name) for name in CallForm.__dataclass_fields__})


def routes() -> list[web.RouteDef]:
    """Return the routes of the forms."""
    return [
        web.get("/desk/requests/new", new),
        web.post("/desk/requests/new", create),
        web.get(f"/desk/requests/{NUMBER}/work", new_work),
        web.post(f"/desk/requests/{NUMBER}/work", create_work),
    ]


@require(*OFFICE)
async def new(request: web.Request) -> web.StreamResponse:
    """Show the form of a call."""
    async with house_of(request).pool.connection() as conn:
        return await _call_form(conn, request, read_call_form(request.query))


async def _call_form(
    conn: AsyncConnection, request: web.Request, form: CallForm, faults: Mapping[str, Text] | None = None
) -> web.Response:
    return page(
        request,
        "requests/desk_new.html",
        {
            "form": form,
            "communities": await desk_store.community_names(conn, account_of(request).communities),
            "kinds": KINDS,
            "channels": CHANNELS,
            "faults": faults or {},
            "request_id": fresh,
            "longest": tickets.LONGEST,
        },
        status=422 if faults else 200,
    )


@require(*OFFICE)
async def create(request: web.Request) -> web.StreamResponse:
    """Keep what was asked; whoever took the call follows it."""
    sent = await request.post()
    form, by, now = read_call_form(sent), tap_of(request, sent), now_of(request)
    async with house_of(request).pool.connection() as conn:
        chosen = key_of(form.community)
        seen = [each for each in account_of(request).communities if chosen in {None, each}]
        judged = judge_call(form, await request_store.household(conn, seen, form.unit, now))
        if not isinstance(judged, NewTicket):
            return await _call_form(conn, request, form, judged)
        async with conn.transaction():
            number = await tickets.open_ticket(conn, judged, by, now)
    return go(f"/desk/requests/{number}")


def judge_call(form: CallForm, found: Household | None) -> NewTicket | dict[str, Text]:
    """Return the request to keep, or what is wrong by field."""
    faults: dict[str, Text] = {}
    kind = next((each for each in KINDS if each == form.kind), None)
    channel = next((each for each in CHANNELS if each == form.channel), None)
    if found is None:
        faults["unit"] = Text(
            zh="没有这个房号，或目前无人居住。例如：B1-101",
            en="No such unit, or nobody has it now. For example: B1-101",
        )
    if kind is None:
        faults["kind"] = WRONG_KIND
    if channel is None:
        faults["channel"] = Text(zh="请选择：电话或前台", en="Choose: by phone or at the front desk")
    if not says_something(form.body):
        faults["body"] = WRONG_LENGTH
    if found is None or kind is None or channel is None or faults:
        return faults
    return NewTicket(
        community_id=found.unit.community_id,
        unit_id=found.unit.unit_id,
        party_id=found.party_id,
        kind=kind,
        channel=channel,
        body=form.body,
    )


@require(*OFFICE)
async def new_work(request: web.Request) -> web.StreamResponse:
    """Show the form of an order, with what the resident said."""
    form = read_open_form(request.query)
    async with house_of(request).pool.connection() as conn:
        ticket = await ticket_or_404(conn, request)
        if not request.query:
            form = replace(form, title_zh=printable(ticket.body).partition("\n")[0][:TITLE_LENGTH])
        reply = word_of(request.query, "reply") or SENT[language_of(request)]
        return await open_form(conn, request, form, at=_place(ticket, reply))


def _place(ticket: store.Ticket, reply: str) -> OpenedFrom:
    address = f"/desk/requests/{ticket.number}"
    return OpenedFrom(f"{address}/work", address, ticket.number, ticket.community_id, ticket.body, reply)


@require(*OFFICE)
async def create_work(request: web.Request) -> web.StreamResponse:
    """Open the order for the request, once however often the button was pressed."""
    sent = await request.post()
    form, by, now = read_open_form(sent), tap_of(request, sent), now_of(request)
    reply, account = word_of(sent, "reply"), account_of(request)
    async with house_of(request).pool.connection() as conn:
        ticket = await ticket_or_404(conn, request)
        at = _place(ticket, reply)
        judged = await _judge_work(conn, ticket, form, reply)
        if not isinstance(judged, NewOrder):
            return await open_form(conn, request, form, judged, status=422, at=at)
        try:
            async with conn.transaction():
                since = now - TAP_KNOWN_FOR
                if await desk_store.opened_by_tap(conn, account.id, by.request_id or "", since) is None:
                    await tickets.open_work(conn, ticket.id, by, judged, reply, now)
        except BadField as refusal:
            return await open_form(conn, request, form, beside(refusal), status=422, at=at)
        except DispatchRefusal as refusal:
            return await open_form(conn, request, form, {"asset": refusal.text}, status=409, at=at)
        except tickets.TicketError as refusal:
            return await ticket_page(conn, request, fault=REFUSALS[type(refusal)], typed=reply, status=409)
    return go(f"/desk/requests/{ticket.number}")


async def _judge_work(
    conn: AsyncConnection, ticket: store.Ticket, form: OpenForm, reply: str
) -> NewOrder | dict[str, Text]:
    found = await desk_store.search_assets(conn, [ticket.community_id], "", asset_id=form.asset_id)
    judged = judge(replace(form, alarm=""), found[0] if found else None)
    faults = {} if says_something(reply) else {"reply": WRONG_LENGTH}
    if not isinstance(judged, NewOrder):
        return judged | faults
    because = Text(
        zh=f"{ticket.unit_code} 业主诉求 {ticket.number}",
        en=f"request {ticket.number} of unit {ticket.unit_code}",
    )
    said = printable(ticket.body)  # a request of long ago may have what an order does not take
    return faults or replace(judged, what=Text(zh=said, en=said), because=because)

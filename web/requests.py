"""A resident's requests: ask, read what was answered, say more, and say how it was."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, get_args

from aiohttp import web
from psycopg import AsyncConnection

from config.text import Text
from desk import store, tickets
from desk.tickets import Kind, NewTicket
from web import request_store
from web.access import require
from web.conversation import conversation
from web.errors import Refusal
from web.house import house_of, now_of
from web.render import page
from web.request_store import OwnLine, OwnUnit
from web.session import account_of
from web.taps import fresh, go, key_of, tap_of, word_of

NUMBER: Final = r"{number:T-[0-9]{8}-[0-9]{6,18}}"
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
WRONG_LENGTH: Final = Text(
    zh=f"请写 1 到 {tickets.LONGEST} 个字", en=f"Write 1 to {tickets.LONGEST} characters"
)
WRONG_KIND: Final = Text(zh="请选择一项：报修、投诉或咨询", en="Choose one: repair, complaint or enquiry")
IS_CLOSED: Final = Text(
    zh="这个诉求已经办结，刚写的没有发出。还有问题请新提一个。",
    en="This request was closed meanwhile and your words were not sent. Please open a new one.",
)


@dataclass(frozen=True, slots=True)
class RequestForm:
    """The form as typed."""

    kind: str = ""
    unit: str = ""
    body: str = ""
    bill: str = ""
    line: str = ""


def read_request_form(form: Mapping[str, object]) -> RequestForm:
    """Read the form as sent."""
    return RequestForm(**{name: word_of(form, name) for name in RequestForm.__dataclass_fields__})


def routes() -> list[web.RouteDef]:
    """Return the routes of a resident's requests."""
    return [
        web.get("/requests", requests),
        web.get("/requests/new", new),
        web.post("/requests/new", create),
        web.get(f"/requests/{NUMBER}", request_page),
        web.get(f"/requests/{NUMBER}/talk", talk),
        web.post(f"/requests/{NUMBER}/words", add_word),
        web.post(f"/requests/{NUMBER}/satisfaction", rate),
    ]


@require("resident")
async def requests(request: web.Request) -> web.StreamResponse:
    """List one's own requests, newest first."""
    async with house_of(request).pool.connection() as conn:
        found = await store.tickets_of_party(conn, _party(request))
    part = "_list.html" if "HX-Request" in request.headers else "list.html"
    return page(request, f"requests/{part}", {"tickets": found})


def _party(request: web.Request) -> int:
    return account_of(request).party_id or 0


@require("resident")
async def new(request: web.Request) -> web.StreamResponse:
    """Show the form, perhaps about a line of a bill."""
    form = read_request_form(request.query)
    async with house_of(request).pool.connection() as conn:
        about = await _about(conn, request, form)
        units = await request_store.units_of(conn, _party(request), now_of(request))
    if about is not None and not form.kind:
        form = replace(form, kind="complaint")
    return _form(request, form, about, units)


async def _about(conn: AsyncConnection, request: web.Request, form: RequestForm) -> OwnLine | None:
    """Return the line asked about; nobody asks about somebody else's bill."""
    if not form.bill:
        return None
    position = key_of(form.line)
    found = (
        await request_store.line_of(conn, _party(request), form.bill, position)
        if position is not None
        else None
    )
    if found is None:
        raise Refusal(404)
    return found


def _form(
    request: web.Request,
    form: RequestForm,
    about: OwnLine | None,
    units: list[OwnUnit],
    faults: Mapping[str, Text] | None = None,
) -> web.Response:
    return page(
        request,
        "requests/new.html",
        {
            "form": form,
            "about": about,
            "units": units,
            "kinds": KINDS,
            "faults": faults or {},
            "request_id": fresh,
            "longest": tickets.LONGEST,
        },
        status=422 if faults else 200,
    )


@require("resident")
async def create(request: web.Request) -> web.StreamResponse:
    """Keep the request, once however often the button was pressed."""
    sent = await request.post()
    form, by, now = read_request_form(sent), tap_of(request, sent), now_of(request)
    async with house_of(request).pool.connection() as conn:
        about = await _about(conn, request, form)
        units = await request_store.units_of(conn, _party(request), now)
        judged = judge(form, units, about, _party(request))
        if not isinstance(judged, NewTicket):
            return _form(request, form, about, units, judged)
        async with conn.transaction():
            number = await tickets.open_ticket(conn, judged, by, now)
    return go(f"/requests/{number}")


def judge(
    form: RequestForm, units: list[OwnUnit], about: OwnLine | None, party_id: int
) -> NewTicket | dict[str, Text]:
    """Return the request to keep, or what is wrong by field."""
    faults: dict[str, Text] = {}
    kind = next((each for each in KINDS if each == form.kind), None)
    if kind is None:
        faults["kind"] = WRONG_KIND
    unit = about.unit if about else next((each for each in units if str(each.unit_id) == form.unit), None)
    if unit is None:
        faults["unit"] = Text(zh="请选择房号", en="Choose one of your units")
    if not says_something(form.body):
        faults["body"] = WRONG_LENGTH
    if kind is None or unit is None or faults:
        return faults
    return NewTicket(
        community_id=unit.community_id,
        unit_id=unit.unit_id,
        party_id=party_id,
        kind=kind,
        channel="page",
        body=form.body,
        bill_id=about.bill_id if about else None,
        line=about.position if about else None,
    )


def says_something(text: str) -> bool:
    """Whether the text can be kept."""
    try:
        tickets.said(text)
    except tickets.NothingSaid:
        return False
    return True


async def _own(conn: AsyncConnection, request: web.Request) -> store.Ticket:
    found = await store.ticket(conn, request.match_info["number"], party_id=_party(request))
    if found is None:
        raise Refusal(404)
    return found


@require("resident")
async def request_page(request: web.Request) -> web.StreamResponse:
    """Show one request with everything said about it."""
    async with house_of(request).pool.connection() as conn:
        return await _page(conn, request)


@require("resident")
async def talk(request: web.Request) -> web.StreamResponse:
    """Return the part of the page that changes by itself."""
    async with house_of(request).pool.connection() as conn:
        return await _page(conn, request, template="requests/_talk.html")


async def _page(
    conn: AsyncConnection,
    request: web.Request,
    *,
    template: str = "requests/request.html",
    fault: Text | None = None,
    typed: str = "",
    status: int = 200,
) -> web.Response:
    ticket = await _own(conn, request)
    known = await conversation(conn, ticket, fault, typed)
    return page(request, template, {**known, "part": "HX-Request" in request.headers}, status=status)


@require("resident")
async def add_word(request: web.Request) -> web.StreamResponse:
    """Say something more."""
    sent = await request.post()
    text, by = word_of(sent, "text"), tap_of(request, sent)
    async with house_of(request).pool.connection() as conn:
        ticket = await _own(conn, request)
        try:
            async with conn.transaction():
                await tickets.add_word(conn, ticket.id, by, text, now_of(request))
        except tickets.NothingSaid:
            return await _page(conn, request, fault=WRONG_LENGTH, typed=text, status=422)
        except tickets.AlreadyClosed:
            return await _page(conn, request, fault=IS_CLOSED, typed=text, status=409)
    return go(f"/requests/{ticket.number}")


@require("resident")
async def rate(request: web.Request) -> web.StreamResponse:
    """Say how it was, once it is closed."""
    satisfaction = key_of(word_of(await request.post(), "satisfaction")) or 0
    async with house_of(request).pool.connection() as conn:
        ticket = await _own(conn, request)
        try:
            async with conn.transaction():
                await tickets.rate(conn, ticket.id, ticket.party_id, satisfaction)
        except tickets.NoSuchRating:
            fault = Text(zh="请选择一项评价", en="Choose one of the answers")
            return await _page(conn, request, fault=fault, status=422)
        except tickets.NotToRate:
            fault = Text(
                zh="评价在办结之后，每个诉求一次。", en="It is asked once, after the request was closed."
            )
            return await _page(conn, request, fault=fault, status=409)
    return go(f"/requests/{ticket.number}")

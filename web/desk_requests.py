"""Residents' requests at the desk: whose first answer is due, who follows which, what is said."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from aiohttp import web
from psycopg import AsyncConnection

from config.text import Text
from desk import store, tickets
from dispatch.people import By
from web.access import OFFICE, require
from web.conversation import conversation
from web.deadlines import Deadline
from web.errors import Refusal
from web.house import house_of, now_of
from web.render import page
from web.requests import NUMBER, WRONG_LENGTH
from web.session import account_of
from web.taps import go, tap_of, word_of

NOT_OWNER: Final = Text(
    zh="只有首问责任人可以答复。请先接手，或联系责任人。",
    en="Only the first-contact owner answers. Take it first, or ask whoever has it.",
)
TAKEN: Final = Text(zh="别人先接手了，由其跟进到底。", en="Somebody took it first and follows it to the end.")
CLOSED: Final = Text(
    zh="这个诉求已经办结，刚写的没有发出。", en="This request is closed already; your words were not sent."
)
REFUSALS: Final[dict[type[tickets.TicketError], Text]] = {
    tickets.NotTheOwner: NOT_OWNER,
    tickets.AlreadyTaken: TAKEN,
    tickets.AlreadyClosed: CLOSED,
}

Speak = Callable[[AsyncConnection, int, By, str, datetime], Awaitable[None]]


def routes() -> list[web.RouteDef]:
    """Return the routes of the requests at the desk; its forms are in `web.desk_request_forms`."""
    return [
        web.get("/desk/requests", requests),
        web.get(f"/desk/requests/{NUMBER}", request_page),
        web.get(f"/desk/requests/{NUMBER}/talk", talk),
        web.post(f"/desk/requests/{NUMBER}/take", take),
        web.post(f"/desk/requests/{NUMBER}/answer", answer),
        web.post(f"/desk/requests/{NUMBER}/close", close),
    ]


@require(*OFFICE)
async def requests(request: web.Request) -> web.StreamResponse:
    """List what is not closed, the unanswered first by their deadline, and what was closed lately."""
    seen = account_of(request).communities
    async with house_of(request).pool.connection() as conn:
        open_ones = await store.waiting(conn, seen)
        closed = await store.closed_lately(conn, seen)
    part = "_desk_list.html" if "HX-Request" in request.headers else "desk_list.html"
    return page(
        request,
        f"requests/{part}",
        {
            "unanswered": [each for each in open_ones if each.answered_at is None],
            "answered": [each for each in open_ones if each.answered_at is not None],
            "closed": closed,
            "due": first_answer,
            "several": len(seen) > 1,
        },
    )


def first_answer(ticket: store.Ticket) -> Deadline:
    """Return by when somebody must have answered."""
    return Deadline("first_answer", ticket.respond_by)


async def ticket_or_404(conn: AsyncConnection, request: web.Request) -> store.Ticket:
    """Return the request in the address; another community's does not exist for this desk."""
    found = await store.ticket(
        conn, request.match_info["number"], community_ids=account_of(request).communities
    )
    if found is None:
        raise Refusal(404)
    return found


@require(*OFFICE)
async def request_page(request: web.Request) -> web.StreamResponse:
    """Show one request with everything said about it."""
    async with house_of(request).pool.connection() as conn:
        return await ticket_page(conn, request)


@require(*OFFICE)
async def talk(request: web.Request) -> web.StreamResponse:
    """Return the part of the page that changes by itself."""
    async with house_of(request).pool.connection() as conn:
        return await ticket_page(conn, request, template="requests/_desk_talk.html")


async def ticket_page(
    conn: AsyncConnection,
    request: web.Request,
    *,
    template: str = "requests/desk_request.html",
    fault: Text | None = None,
    typed: str = "",
    status: int = 200,
) -> web.Response:
    """Show a request, with what was typed and could not be sent."""
    ticket = await ticket_or_404(conn, request)
    known = await conversation(conn, ticket, fault, typed)
    return page(request, template, {**known, "due": first_answer}, status=status)


@require(*OFFICE)
async def take(request: web.Request) -> web.StreamResponse:
    """Become the first-contact owner."""
    async with house_of(request).pool.connection() as conn:
        ticket = await ticket_or_404(conn, request)
        try:
            async with conn.transaction():
                await tickets.take(conn, ticket.id, account_of(request).id)
        except tickets.AlreadyTaken:
            return await ticket_page(conn, request, fault=TAKEN, status=409)
    return go(f"/desk/requests/{ticket.number}")


@require(*OFFICE)
async def answer(request: web.Request) -> web.StreamResponse:
    """Say something to the resident."""
    return await _speak(request, tickets.answer)


@require(*OFFICE)
async def close(request: web.Request) -> web.StreamResponse:
    """Say the last word and close."""
    return await _speak(request, tickets.close)


async def _speak(request: web.Request, speak: Speak) -> web.Response:
    sent = await request.post()
    text, by = word_of(sent, "text"), tap_of(request, sent)
    async with house_of(request).pool.connection() as conn:
        ticket = await ticket_or_404(conn, request)
        try:
            async with conn.transaction():
                await speak(conn, ticket.id, by, text, now_of(request))
        except tickets.NothingSaid:
            return await ticket_page(conn, request, fault=WRONG_LENGTH, typed=text, status=422)
        except tickets.TicketError as refusal:
            fault = REFUSALS[type(refusal)]
            return await ticket_page(conn, request, fault=fault, typed=text, status=409)
    return go(f"/desk/requests/{ticket.number}")

"""What may happen to a ticket. Every refusal is named and carries what it is about."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from psycopg import AsyncConnection

from desk import store
from dispatch.orders import NewOrder, open_order
from storage.notify import notify

Kind = Literal["repair", "complaint", "enquiry"]
Channel = Literal["page", "phone", "front_desk"]

FIRST_ANSWER_WITHIN = timedelta(hours=2)  # the service promise: a response within two hours
LONGEST = 2000  # characters of one entry


class TicketError(Exception):
    """A ticket cannot be changed that way."""

    def __init__(self, ticket_id: int) -> None:
        super().__init__(ticket_id)
        self.ticket_id = ticket_id


class AlreadyTaken(TicketError):
    """Somebody else took the ticket first and follows it to the end."""


class NotTheOwner(TicketError):
    """Only the first-contact owner answers and closes; nobody has taken it, or somebody else has."""


class NotClosedYet(TicketError):
    """Satisfaction is asked once the ticket is closed, and given once."""


class NothingSaid(ValueError):
    """The text of a ticket or entry is empty or too long."""

    def __init__(self, length: int) -> None:
        super().__init__(f"text has {length} characters; it needs 1 to {LONGEST}")
        self.length = length


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """A resident's request about their unit, perhaps about one line of a bill of theirs."""

    community_id: int
    unit_id: int
    party_id: int
    kind: Kind
    channel: Channel
    body: str
    bill_id: int | None = None
    line: int | None = None


def said(text: str) -> str:
    """The text as it is kept; raises NothingSaid when there is none or far too much."""
    kept = text.replace("\x00", "").strip()
    if not 0 < len(kept) <= LONGEST:
        raise NothingSaid(len(kept))
    return kept


async def open_ticket(conn: AsyncConnection, ticket: NewTicket, now: datetime) -> str:
    """Keep a request and tell the desk; returns its number."""
    number = await store.insert_ticket(conn, ticket, said(ticket.body), now, now + FIRST_ANSWER_WITHIN)
    await notify(conn, "ticket", [], ticket.community_id)
    return number


async def take(conn: AsyncConnection, ticket_id: int, account_id: int) -> None:
    """Become the first-contact owner. Of two who try at once, one gets AlreadyTaken."""
    community_id = await store.take(conn, ticket_id, account_id)
    if community_id is None:
        raise AlreadyTaken(ticket_id)
    await notify(conn, "ticket", [ticket_id], community_id)


async def answer(
    conn: AsyncConnection,
    ticket_id: int,
    account_id: int,
    text: str,
    now: datetime,
    order_id: int | None = None,
) -> None:
    """Say something to the resident; the first time stops the clock of the first answer."""
    text = said(text)
    community_id = await store.mark_answered(conn, ticket_id, account_id, now)
    if community_id is None:
        raise NotTheOwner(ticket_id)
    await store.insert_entry(conn, ticket_id, account_id, text, now, order_id)
    await notify(conn, "ticket", [ticket_id], community_id)


async def add_word(conn: AsyncConnection, ticket_id: int, account_id: int, text: str, now: datetime) -> None:
    """A further word by the resident who asked (the caller has checked that it is theirs)."""
    await store.insert_entry(conn, ticket_id, account_id, said(text), now)
    await notify(conn, "ticket", [ticket_id], await store.community_of(conn, ticket_id))


async def open_work(
    conn: AsyncConnection, ticket_id: int, account_id: int, order: NewOrder, text: str, now: datetime
) -> int:
    """Open a work order for the ticket; the resident sees that and what was said about it."""
    order_id = await open_order(conn, order, now)
    await answer(conn, ticket_id, account_id, text, now, order_id)
    return order_id


async def close(conn: AsyncConnection, ticket_id: int, account_id: int, text: str, now: datetime) -> None:
    """Answer for the last time and close."""
    await answer(conn, ticket_id, account_id, text, now)
    await store.close(conn, ticket_id, now)


async def rate(conn: AsyncConnection, ticket_id: int, party_id: int, satisfaction: int) -> None:
    """The resident's call-back: 1 (bad) to 5 (good), once, after closing."""
    if not await store.rate(conn, ticket_id, party_id, satisfaction):
        raise NotClosedYet(ticket_id)

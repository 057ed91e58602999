"""What may happen to a ticket. Every refusal is named and carries what it is about."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from psycopg import AsyncConnection

from config.text import Text, printable
from desk import store
from dispatch.orders import NewOrder, open_order
from dispatch.people import By
from dispatch.refusals import BadField
from storage.notify import notify

Kind = Literal["repair", "complaint", "enquiry"]
Channel = Literal["page", "phone", "front_desk"]

FIRST_ANSWER_WITHIN: Final = timedelta(hours=2)  # the service promise: a response within two hours
LONGEST: Final = 2000  # characters of one entry
BEST: Final = 5


class TicketError(Exception):
    """A ticket cannot be changed that way."""

    def __init__(self, ticket_id: int) -> None:
        super().__init__(ticket_id)
        self.ticket_id = ticket_id


class AlreadyTaken(TicketError):
    """Somebody else took the ticket first and follows it to the end."""


class NotTheOwner(TicketError):
    """Only the first-contact owner answers and closes; nobody has taken it, or somebody else has."""


class AlreadyClosed(TicketError):
    """A closed ticket is history: whoever has more to say opens a new one."""


class NotToRate(TicketError):
    """Satisfaction is asked of whoever asked, once the ticket is closed, and given once."""


class NothingSaid(ValueError):
    """The text of a ticket or entry is empty or too long."""

    def __init__(self, length: int) -> None:
        super().__init__(f"text has {length} characters; it needs 1 to {LONGEST}")
        self.length = length


class NoSuchRating(ValueError):
    """Satisfaction goes from 1 to 5."""

    def __init__(self, satisfaction: int) -> None:
        super().__init__(f"satisfaction = {satisfaction}: 1 (bad) to {BEST} (good)")
        self.satisfaction = satisfaction


class NotTheirs(ValueError):
    """A ticket is about a unit that is or was the party's, or about a line of their own bill of it."""

    def __init__(self, ticket: "NewTicket") -> None:
        super().__init__(
            f"unit {ticket.unit_id}, bill {ticket.bill_id} line {ticket.line}: "
            f"not of party {ticket.party_id} in community {ticket.community_id}"
        )
        self.ticket = ticket


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
    """The text as it is kept, without what cannot be shown; raises NothingSaid for none or far too much."""
    kept = printable(text).replace("\r\n", "\n").strip()
    if not 0 < len(kept) <= LONGEST:
        raise NothingSaid(len(kept))
    return kept


async def open_ticket(conn: AsyncConnection, ticket: NewTicket, by: By, now: datetime) -> str:
    """Keep a request and tell the desk; returns its number. The same tap opens one.

    Whoever takes the call, or stands at the front desk, is the first contact and owns it at once.
    """
    body = said(ticket.body)
    opened = await store.insert_ticket(conn, ticket, body, by, now, now + FIRST_ANSWER_WITHIN)
    if opened is None:
        known = await store.opened_by_tap(conn, by)
        if known is None:
            raise NotTheirs(ticket)
        return known
    ticket_id, number = opened
    await notify(conn, "ticket", [ticket_id], ticket.community_id)
    return number


async def take(conn: AsyncConnection, ticket_id: int, account_id: int) -> None:
    """Become the first-contact owner. Of two who try at once, one gets AlreadyTaken."""
    community_id = await store.take(conn, ticket_id, account_id)
    if community_id is None:
        raise AlreadyTaken(ticket_id)
    await notify(conn, "ticket", [ticket_id], community_id)


async def answer(conn: AsyncConnection, ticket_id: int, by: By, text: str, now: datetime) -> None:
    """Say something to the resident; the first time stops the clock of the first answer."""
    text = said(text)
    community_id = await _answering(conn, ticket_id, by, now)
    await store.insert_entry(conn, ticket_id, by, text, now)
    await notify(conn, "ticket", [ticket_id], community_id)


async def add_word(conn: AsyncConnection, ticket_id: int, by: By, text: str, now: datetime) -> None:
    """A further word by the resident who asked (the caller has checked that it is theirs)."""
    text = said(text)
    community_id = await store.hold_open(conn, ticket_id)
    if community_id is None:
        raise AlreadyClosed(ticket_id)
    await store.insert_entry(conn, ticket_id, by, text, now)
    await notify(conn, "ticket", [ticket_id], community_id)


async def open_work(
    conn: AsyncConnection, ticket_id: int, by: By, order: NewOrder, text: str, now: datetime
) -> int:
    """Open a work order for the ticket; the resident sees that and what was said about it."""
    text = said(text)
    community_id = await _answering(conn, ticket_id, by, now)
    if order.community_id != community_id:
        right = Text(zh="应为该诉求所在小区的设备", en="an asset of the request's community")
        raise BadField("asset", order.asset_id, right)
    order_id = await open_order(conn, order, now, by)
    await store.insert_entry(conn, ticket_id, by, text, now, order_id)
    await notify(conn, "ticket", [ticket_id], community_id)
    return order_id


async def close(conn: AsyncConnection, ticket_id: int, by: By, text: str, now: datetime) -> None:
    """Answer for the last time and close."""
    await answer(conn, ticket_id, by, text, now)
    await store.close(conn, ticket_id, now)


async def rate(conn: AsyncConnection, ticket_id: int, party_id: int, satisfaction: int) -> None:
    """The resident's call-back: 1 (bad) to 5 (good), once, after closing."""
    if not 1 <= satisfaction <= BEST:
        raise NoSuchRating(satisfaction)
    community_id = await store.rate(conn, ticket_id, party_id, satisfaction)
    if community_id is None:
        raise NotToRate(ticket_id)
    await notify(conn, "ticket", [ticket_id], community_id)


async def _answering(conn: AsyncConnection, ticket_id: int, by: By, now: datetime) -> int:
    """Note that the owner answers, before anything else is written; the ticket's community."""
    community_id = await store.mark_answered(conn, ticket_id, by.account_id, now)
    if community_id is None:
        raise (AlreadyClosed(ticket_id) if await store.is_closed(conn, ticket_id) else NotTheOwner(ticket_id))
    return community_id

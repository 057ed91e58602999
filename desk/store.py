"""All SQL of the desk. The caller owns the transaction."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

from dispatch.people import By

if TYPE_CHECKING:
    from desk.tickets import NewTicket

MOST_OWN: Final = 100
MOST_WAITING: Final = 200
MOST_CLOSED: Final = 20


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as its pages show it."""

    id: int
    community_id: int
    community_zh: str
    community_en: str
    number: str
    kind: str
    channel: str
    unit_code: str
    party_id: int
    party_name: str
    phone: str | None
    bill_number: str | None
    bill_period: date | None
    line_zh: str | None
    line_en: str | None
    line_fen: int | None
    body: str
    owner_id: int | None
    owner_name: str | None
    opened_at: datetime
    respond_by: datetime
    answered_at: datetime | None
    closed_at: datetime | None
    satisfaction: int | None

    @property
    def state(self) -> str:
        """How far it is: waiting, taken, answered or closed."""
        if self.closed_at is not None:
            return "closed"
        if self.answered_at is not None:
            return "answered"
        return "waiting" if self.owner_id is None else "taken"


@dataclass(frozen=True, slots=True)
class Entry:
    """One word of the conversation, and the order opened with it."""

    at: datetime
    name: str
    role: str
    text: str
    order_number: str | None
    order_status: str | None


TICKET: Final = """
    SELECT ticket.id, ticket.community_id, community.name_zh AS community_zh,
           community.name_en AS community_en, ticket.number, ticket.kind, ticket.channel,
           unit.code AS unit_code, ticket.party_id, party.name AS party_name, party.phone,
           bill.number AS bill_number, bill.period AS bill_period, bill_line.name_zh AS line_zh,
           bill_line.name_en AS line_en, bill_line.amount_fen AS line_fen, ticket.body, ticket.owner_id,
           owner.name AS owner_name, ticket.opened_at, ticket.respond_by, ticket.answered_at,
           ticket.closed_at, ticket.satisfaction
      FROM ticket
      JOIN community ON community.id = ticket.community_id
      JOIN unit ON unit.id = ticket.unit_id
      JOIN party ON party.id = ticket.party_id
      LEFT JOIN bill ON bill.id = ticket.bill_id
      LEFT JOIN bill_line ON bill_line.bill_id = ticket.bill_id AND bill_line.position = ticket.line
      LEFT JOIN account AS owner ON owner.id = ticket.owner_id
"""


async def insert_ticket(
    conn: AsyncConnection, ticket: "NewTicket", body: str, by: By, now: datetime, respond_by: datetime
) -> tuple[int, str] | None:
    """Insert it where unit and bill line are the party's own: id and number; None else, or for a repeat."""
    cursor = await conn.execute(
        """
        INSERT INTO ticket (id, community_id, number, kind, channel, unit_id, party_id, bill_id, line, body,
                            opened_by, request_id, owner_id, opened_at, respond_by)
        OVERRIDING SYSTEM VALUE
        SELECT next.id, community.id,
               format('T-%%s-%%s', to_char(%(now)s::timestamptz AT TIME ZONE community.timezone, 'YYYYMMDD'),
                      lpad(next.id::text, greatest(6, length(next.id::text)), '0')),
               %(kind)s, %(channel)s, unit.id, party.id, %(bill_id)s, %(line)s, %(body)s,
               %(opened_by)s, %(request_id)s, %(owner_id)s, %(now)s, %(respond_by)s
          FROM (SELECT nextval(pg_get_serial_sequence('ticket', 'id')) AS id) AS next,
               community
          JOIN unit ON unit.community_id = community.id
          JOIN party ON party.community_id = community.id
         WHERE community.id = %(community_id)s AND unit.id = %(unit_id)s AND party.id = %(party_id)s
           AND EXISTS (SELECT FROM occupancy WHERE unit_id = unit.id AND party_id = party.id)
           AND (%(bill_id)s::bigint IS NULL OR EXISTS (
                SELECT FROM bill JOIN bill_line ON bill_line.bill_id = bill.id
                 WHERE bill.id = %(bill_id)s AND bill.party_id = party.id AND bill.unit_id = unit.id
                   AND bill_line.position = %(line)s))
        ON CONFLICT (opened_by, request_id) DO NOTHING
        RETURNING id, number
        """,
        {
            **asdict(ticket),
            "body": body,
            "opened_by": by.account_id,
            "request_id": by.request_id,
            "owner_id": None if ticket.channel == "page" else by.account_id,
            "now": now,
            "respond_by": respond_by,
        },
    )
    row = await cursor.fetchone()
    return (row[0], row[1]) if row else None


async def opened_by_tap(conn: AsyncConnection, by: By) -> str | None:
    """Return the number of the ticket that this very tap opened."""
    cursor = await conn.execute(
        "SELECT number FROM ticket WHERE opened_by = %(opened_by)s AND request_id = %(request_id)s",
        {"opened_by": by.account_id, "request_id": by.request_id},
    )
    row = await cursor.fetchone()
    return str(row[0]) if row else None


async def take(conn: AsyncConnection, ticket_id: int, account_id: int) -> int | None:
    """Set the owner where there is none (or it is the same one); the community, or None when taken."""
    return await _community(
        conn,
        """
        UPDATE ticket SET owner_id = %(account_id)s
         WHERE id = %(ticket_id)s AND (owner_id IS NULL OR owner_id = %(account_id)s)
        RETURNING community_id
        """,
        {"ticket_id": ticket_id, "account_id": account_id},
    )


async def mark_answered(
    conn: AsyncConnection, ticket_id: int, account_id: int | None, now: datetime
) -> int | None:
    """Note the first answer; the community, or None when the account is not the owner, or all is over."""
    return await _community(
        conn,
        """
        UPDATE ticket SET answered_at = coalesce(answered_at, %(now)s)
         WHERE id = %(ticket_id)s AND owner_id = %(account_id)s AND closed_at IS NULL
        RETURNING community_id
        """,
        {"ticket_id": ticket_id, "account_id": account_id, "now": now},
    )


async def hold_open(conn: AsyncConnection, ticket_id: int) -> int | None:
    """Keep a ticket open until the transaction ends; the community, or None when it is closed."""
    return await _community(
        conn,
        """
        SELECT community_id FROM ticket
         WHERE id = %(ticket_id)s AND closed_at IS NULL FOR NO KEY UPDATE
        """,
        {"ticket_id": ticket_id},
    )


async def is_closed(conn: AsyncConnection, ticket_id: int) -> bool:
    """Whether the ticket was closed."""
    cursor = await conn.execute(
        "SELECT 1 FROM ticket WHERE id = %(ticket_id)s AND closed_at IS NOT NULL", {"ticket_id": ticket_id}
    )
    return await cursor.fetchone() is not None


async def _community(conn: AsyncConnection, query: str, values: dict[str, object]) -> int | None:
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(query, values)
        found: int | None = await cursor.fetchone()
        return found


async def insert_entry(
    conn: AsyncConnection, ticket_id: int, by: By, text: str, now: datetime, order_id: int | None = None
) -> None:
    """Add a word; the same tap adds one."""
    await conn.execute(
        """
        INSERT INTO ticket_entry (ticket_id, account_id, at, text, order_id, request_id)
        VALUES (%(ticket_id)s, %(account_id)s, %(now)s, %(text)s, %(order_id)s, %(request_id)s)
        ON CONFLICT (ticket_id, account_id, request_id) DO NOTHING
        """,
        {
            "ticket_id": ticket_id,
            "account_id": by.account_id,
            "now": now,
            "text": text,
            "order_id": order_id,
            "request_id": by.request_id,
        },
    )


async def close(conn: AsyncConnection, ticket_id: int, now: datetime) -> None:
    """Close a ticket that was just answered."""
    await conn.execute(
        "UPDATE ticket SET closed_at = %(now)s WHERE id = %(ticket_id)s", {"ticket_id": ticket_id, "now": now}
    )


async def rate(conn: AsyncConnection, ticket_id: int, party_id: int, satisfaction: int) -> int | None:
    """Keep the satisfaction where there is none yet; the community, or None when it is not to be given."""
    return await _community(
        conn,
        """
        UPDATE ticket SET satisfaction = %(satisfaction)s
         WHERE id = %(ticket_id)s AND party_id = %(party_id)s
           AND closed_at IS NOT NULL AND satisfaction IS NULL
        RETURNING community_id
        """,
        {"ticket_id": ticket_id, "party_id": party_id, "satisfaction": satisfaction},
    )


async def tickets_of_party(conn: AsyncConnection, party_id: int) -> list[Ticket]:
    """A resident's own requests, newest first."""
    async with conn.cursor(row_factory=class_row(Ticket)) as cursor:
        await cursor.execute(
            TICKET + "WHERE ticket.party_id = %(party_id)s ORDER BY ticket.id DESC LIMIT %(most)s",
            {"party_id": party_id, "most": MOST_OWN},
        )
        return await cursor.fetchall()


async def waiting(conn: AsyncConnection, community_ids: Sequence[int]) -> list[Ticket]:
    """Requests that are not closed: the unanswered first, by their deadline."""
    async with conn.cursor(row_factory=class_row(Ticket)) as cursor:
        await cursor.execute(
            TICKET
            + """
            WHERE ticket.community_id = ANY(%(communities)s) AND ticket.closed_at IS NULL
            ORDER BY ticket.answered_at IS NOT NULL, ticket.respond_by, ticket.id LIMIT %(most)s
            """,
            {"communities": list(community_ids), "most": MOST_WAITING},
        )
        return await cursor.fetchall()


async def closed_lately(conn: AsyncConnection, community_ids: Sequence[int]) -> list[Ticket]:
    """Requests that were closed, the latest first."""
    async with conn.cursor(row_factory=class_row(Ticket)) as cursor:
        await cursor.execute(
            TICKET
            + """
            WHERE ticket.community_id = ANY(%(communities)s) AND ticket.closed_at IS NOT NULL
            ORDER BY ticket.closed_at DESC LIMIT %(most)s
            """,
            {"communities": list(community_ids), "most": MOST_CLOSED},
        )
        return await cursor.fetchall()


async def ticket(
    conn: AsyncConnection, number: str, *, party_id: int | None = None, community_ids: Sequence[int] = ()
) -> Ticket | None:
    """One ticket, if it is the party's own or of one of the communities; None otherwise."""
    async with conn.cursor(row_factory=class_row(Ticket)) as cursor:
        await cursor.execute(
            TICKET
            + """
            WHERE ticket.number = %(number)s
              AND (ticket.party_id = %(party_id)s OR ticket.community_id = ANY(%(communities)s))
            """,
            {"number": number, "party_id": party_id, "communities": list(community_ids)},
        )
        return await cursor.fetchone()


async def entries(conn: AsyncConnection, ticket_id: int) -> list[Entry]:
    """The conversation, oldest first."""
    async with conn.cursor(row_factory=class_row(Entry)) as cursor:
        await cursor.execute(
            """
            SELECT ticket_entry.at, account.name, account.role, ticket_entry.text,
                   work_order.number AS order_number, work_order.status AS order_status
              FROM ticket_entry
              JOIN account ON account.id = ticket_entry.account_id
              LEFT JOIN work_order ON work_order.id = ticket_entry.order_id
             WHERE ticket_entry.ticket_id = %(ticket_id)s
             ORDER BY ticket_entry.id
            """,
            {"ticket_id": ticket_id},
        )
        return await cursor.fetchall()

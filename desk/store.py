"""All SQL of the desk. The caller owns the transaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row

if TYPE_CHECKING:
    from desk.tickets import NewTicket


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as its pages show it."""

    id: int
    community_id: int
    timezone: str
    number: str
    kind: str
    channel: str
    unit_code: str
    party_id: int
    party_name: str
    bill_number: str | None
    line_zh: str | None
    line_en: str | None
    body: str
    owner_id: int | None
    owner_name: str | None
    opened_at: datetime
    respond_by: datetime
    answered_at: datetime | None
    closed_at: datetime | None
    satisfaction: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One word of the conversation, and the order opened with it."""

    at: datetime
    name: str
    role: str
    text: str
    order_number: str | None
    order_status: str | None


TICKET = """
    SELECT ticket.id, ticket.community_id, community.timezone, ticket.number, ticket.kind, ticket.channel,
           unit.code AS unit_code, ticket.party_id, party.name AS party_name, bill.number AS bill_number,
           bill_line.name_zh AS line_zh, bill_line.name_en AS line_en, ticket.body, ticket.owner_id,
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
    conn: AsyncConnection, ticket: "NewTicket", body: str, now: datetime, respond_by: datetime
) -> str:
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            """
            WITH next AS (SELECT nextval(pg_get_serial_sequence('ticket', 'id')) AS id)
            INSERT INTO ticket (id, community_id, number, kind, channel, unit_id, party_id, bill_id, line,
                                body, opened_at, respond_by)
            OVERRIDING SYSTEM VALUE
            SELECT id, %(community_id)s,
                   'T-' || to_char(%(now)s::timestamptz, 'YYYYMMDD') || '-' || lpad(id::text, 6, '0'),
                   %(kind)s, %(channel)s, %(unit_id)s, %(party_id)s, %(bill_id)s, %(line)s, %(body)s,
                   %(now)s, %(respond_by)s
              FROM next
            RETURNING number
            """,
            {
                "community_id": ticket.community_id,
                "kind": ticket.kind,
                "channel": ticket.channel,
                "unit_id": ticket.unit_id,
                "party_id": ticket.party_id,
                "bill_id": ticket.bill_id,
                "line": ticket.line,
                "body": body,
                "now": now,
                "respond_by": respond_by,
            },
        )
        return str(await cursor.fetchone())


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


async def mark_answered(conn: AsyncConnection, ticket_id: int, account_id: int, now: datetime) -> int | None:
    """Note the first answer; the community, or None when the account is not the owner."""
    return await _community(
        conn,
        """
        UPDATE ticket SET answered_at = coalesce(answered_at, %(now)s)
         WHERE id = %(ticket_id)s AND owner_id = %(account_id)s AND closed_at IS NULL
        RETURNING community_id
        """,
        {"ticket_id": ticket_id, "account_id": account_id, "now": now},
    )


async def community_of(conn: AsyncConnection, ticket_id: int) -> int:
    community_id = await _community(
        conn, "SELECT community_id FROM ticket WHERE id = %(ticket_id)s", {"ticket_id": ticket_id}
    )
    if community_id is None:
        raise LookupError(ticket_id)
    return community_id


async def _community(conn: AsyncConnection, query: str, values: dict[str, object]) -> int | None:
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(query, values)
        found: int | None = await cursor.fetchone()
        return found


async def insert_entry(
    conn: AsyncConnection,
    ticket_id: int,
    account_id: int,
    text: str,
    now: datetime,
    order_id: int | None = None,
) -> None:
    await conn.execute(
        """
        INSERT INTO ticket_entry (ticket_id, account_id, at, text, order_id)
        VALUES (%(ticket_id)s, %(account_id)s, %(now)s, %(text)s, %(order_id)s)
        """,
        {"ticket_id": ticket_id, "account_id": account_id, "now": now, "text": text, "order_id": order_id},
    )


async def close(conn: AsyncConnection, ticket_id: int, now: datetime) -> None:
    await conn.execute(
        "UPDATE ticket SET closed_at = %(now)s WHERE id = %(ticket_id)s", {"ticket_id": ticket_id, "now": now}
    )


async def rate(conn: AsyncConnection, ticket_id: int, party_id: int, satisfaction: int) -> bool:
    cursor = await conn.execute(
        """
        UPDATE ticket SET satisfaction = %(satisfaction)s
         WHERE id = %(ticket_id)s AND party_id = %(party_id)s
           AND closed_at IS NOT NULL AND satisfaction IS NULL
        """,
        {"ticket_id": ticket_id, "party_id": party_id, "satisfaction": satisfaction},
    )
    return cursor.rowcount == 1


async def tickets_of_party(conn: AsyncConnection, party_id: int) -> list[Ticket]:
    """A resident's own requests, newest first."""
    async with conn.cursor(row_factory=class_row(Ticket)) as cursor:
        await cursor.execute(
            TICKET + "WHERE ticket.party_id = %(party_id)s ORDER BY ticket.id DESC LIMIT 100",
            {"party_id": party_id},
        )
        return await cursor.fetchall()


async def waiting(conn: AsyncConnection, community_ids: list[int]) -> list[Ticket]:
    """Requests that are not closed: the unanswered first, by their deadline."""
    async with conn.cursor(row_factory=class_row(Ticket)) as cursor:
        await cursor.execute(
            TICKET
            + """
            WHERE ticket.community_id = ANY(%(communities)s) AND ticket.closed_at IS NULL
            ORDER BY ticket.answered_at IS NOT NULL, ticket.respond_by LIMIT 200
            """,
            {"communities": community_ids},
        )
        return await cursor.fetchall()


async def ticket(
    conn: AsyncConnection, number: str, *, party_id: int | None = None, community_ids: list[int] | None = None
) -> Ticket | None:
    """One ticket, if it is the party's own or of one of the communities; None otherwise."""
    async with conn.cursor(row_factory=class_row(Ticket)) as cursor:
        await cursor.execute(
            TICKET
            + """
            WHERE ticket.number = %(number)s
              AND (ticket.party_id = %(party_id)s OR ticket.community_id = ANY(%(communities)s))
            """,
            {"number": number, "party_id": party_id, "communities": community_ids or []},
        )
        return await cursor.fetchone()


async def entries(conn: AsyncConnection, ticket_id: int) -> list[Entry]:
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

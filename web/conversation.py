"""A request with everything said about it: the same to its resident and at the desk."""

from psycopg import AsyncConnection

from config.text import Text
from desk import store, tickets
from web.taps import fresh


async def conversation(
    conn: AsyncConnection, ticket: store.Ticket, fault: Text | None, typed: str
) -> dict[str, object]:
    """Return what both pages show of a request, with what was typed and could not be sent."""
    return {
        "ticket": ticket,
        "entries": await store.entries(conn, ticket.id),
        "fault": fault,
        "typed": typed,
        "request_id": fresh,
        "longest": tickets.LONGEST,
    }

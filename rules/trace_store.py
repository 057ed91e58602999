"""SQL of the id that leads from a message to what came of it. The caller owns the transaction."""

from collections.abc import Mapping

from psycopg import AsyncConnection


async def mark(conn: AsyncConnection, traces: Mapping[int, str]) -> None:
    """Keep on each alarm (by its id) what raised it; what it has already stays."""
    await conn.execute(
        """
        UPDATE alarm SET trace = v.trace
        FROM unnest(%(ids)s::bigint[], %(traces)s::text[]) AS v (id, trace)
        WHERE alarm.id = v.id AND alarm.trace IS NULL
        """,
        {"ids": list(traces), "traces": list(traces.values())},
    )

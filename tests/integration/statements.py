"""Which statements go through a connection: what shows that many things cost as many of them as one does."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import AsyncConnection


@contextmanager
def counted(conn: AsyncConnection) -> Iterator[list[str]]:
    """The statements that go through a connection."""
    said: list[str] = []
    cursor_class = conn.cursor_factory

    class Counting(cursor_class):  # type: ignore[valid-type,misc] # the connection's own kind
        async def execute(self, query: object, *rest: object, **more: object) -> object:
            said.append(str(query))
            return await super().execute(query, *rest, **more)

    conn.cursor_factory = Counting
    try:
        yield said
    finally:
        conn.cursor_factory = cursor_class

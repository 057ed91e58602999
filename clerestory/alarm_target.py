"""What an operator names at the command line: a community, an area or an asset of it, by their codes."""

from psycopg import AsyncConnection

from clerestory.store import community_id_of


class NoSuchCode(LookupError):
    """A code that names nothing there."""

    def __init__(self, what: str, code: str) -> None:
        super().__init__(f"no {what} has the code {code!r}")
        self.what = what
        self.code = code


async def community(conn: AsyncConnection, code: str) -> int:
    """Return a community's id; raises NoSuchCode."""
    found = await community_id_of(conn, code)
    if found is None:
        raise NoSuchCode("community", code)
    return found


async def area(conn: AsyncConnection, community_id: int, code: str | None) -> int | None:
    """Return the id of an area of the community, None where none is named; raises NoSuchCode."""
    query = "SELECT id FROM area WHERE community_id = %(community)s AND code = %(code)s"
    return await _of(conn, query, community_id, "area", code)


async def asset(conn: AsyncConnection, community_id: int, code: str | None) -> int | None:
    """Return the id of an asset of the community, None where none is named; raises NoSuchCode."""
    query = "SELECT id FROM asset WHERE community_id = %(community)s AND code = %(code)s"
    return await _of(conn, query, community_id, "asset", code)


async def _of(
    conn: AsyncConnection, query: str, community_id: int, what: str, code: str | None
) -> int | None:
    if code is None:
        return None
    cursor = await conn.execute(query.encode(), {"community": community_id, "code": code})
    row = await cursor.fetchone()
    if row is None:
        raise NoSuchCode(f"{what} of the community", code)
    return int(row[0])

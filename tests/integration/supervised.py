"""A process of its own that runs our PostgreSQL on a directory, for tests that kill it.

Says on standard output `READY pid url` once, then `COMMITTED n` after each commit of row n.
"""

import asyncio
import sys
from pathlib import Path

import psycopg

from storage.embedded import EmbeddedPostgres


async def run(directory: Path) -> None:
    async with (
        EmbeddedPostgres(directory) as server,
        await psycopg.AsyncConnection.connect(server.url, autocommit=True) as conn,
    ):
        await conn.execute("CREATE TABLE IF NOT EXISTS kept (n int PRIMARY KEY)")
        say(f"READY {server.pid} {server.url}")
        n = 0
        while True:
            n += 1
            await conn.execute("INSERT INTO kept VALUES (%(n)s)", {"n": n})
            say(f"COMMITTED {n}")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))

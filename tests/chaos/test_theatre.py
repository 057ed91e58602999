"""The databases that rounds play on forget nothing themselves: what a round finds amiss is the product's."""

import os
import signal
from pathlib import Path

from psycopg import AsyncConnection, OperationalError

from storage.pool import in_utc
from tests.chaos.act import Theatre
from tests.integration.gateway_world import one, until

NEXT = "SELECT nextval(pg_get_serial_sequence('ledger_transaction', 'id'))"
"""Of a table that the template has rows in."""


async def test_a_copy_gives_no_number_twice_when_its_server_is_killed(reachable_tmp_path: Path) -> None:
    numbers: list[int] = []

    async def another_one() -> bool:
        try:
            async with await AsyncConnection.connect(in_utc(url), autocommit=True) as conn:
                numbers.append(await one(conn, NEXT))
        except OperationalError:
            return False
        return True

    async with Theatre.opened(reachable_tmp_path) as theatre, theatre.copied("copy") as url:
        await another_one()
        killed = theatre.server.pid
        os.kill(killed, signal.SIGKILL)
        await until(lambda: theatre.server.pid != killed, "the server's next start", patience=60)
        await until(another_one, "the server", patience=60)

    before, after = numbers
    assert after > before

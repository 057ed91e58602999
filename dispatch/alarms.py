"""What an alarm does to orders: opens one when it pages, cancels or notes it when it clears."""

from collections.abc import Sequence
from datetime import datetime

from psycopg import AsyncConnection

from rules.changes import AlarmChange


async def follow(conn: AsyncConnection, changes: Sequence[AlarmChange], now: datetime) -> None:
    """Act on the rules' findings in the transaction that stored them."""
    raise NotImplementedError

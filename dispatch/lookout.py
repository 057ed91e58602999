"""What time, and the end of whatever held them, does to alarms: people are told, or told again."""

from datetime import datetime

from psycopg import AsyncConnection

from dispatch import acknowledging
from dispatch.alarms import release
from dispatch.policy import Policy
from dispatch.store import acks, alarm_life
from rules.book import RuleBook


async def look_after(
    conn: AsyncConnection, now: datetime, book: RuleBook, policy: Policy | None = None
) -> datetime | None:
    """Tell of alarms that nothing holds now, and again of those nobody followed up; when to look again.

    Everything it acts on is a row, so it may be done by several workers, interrupted, and done again.
    """
    await release(conn, now, book, policy)
    await acknowledging.expire(conn, now, policy)
    moments = [await acks.next_look(conn), await alarm_life.next_mute_end(conn, now)]
    return min((each for each in moments if each is not None), default=None)

"""What switching rules means for work: orders of alarms whose rule is no more are cancelled, or told."""

from collections.abc import Iterable
from datetime import datetime

from psycopg import AsyncConnection

from config.text import Text
from dispatch import together
from dispatch.store import acks

_WHY = Text(zh="触发它的规则已停用", en="the rule behind it was switched off")


async def rules_gone(conn: AsyncConnection, alarm_ids: Iterable[int], now: datetime) -> None:
    """Act on alarms that ended because their rule was switched off."""
    ended = dict.fromkeys(alarm_ids, now)
    if ended:
        await acks.end(conn, list(ended), now, "cleared")
        await together.alarms_ended(conn, ended, now, because=_WHY)

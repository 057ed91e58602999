"""What moving or retiring a device means for work: its alarms end, and their orders are cancelled, or told.

Registering goes through here, so that nobody changes a device and leaves its alarms behind.
"""

from collections.abc import Sequence
from datetime import datetime

from psycopg import AsyncConnection

from dispatch import together
from dispatch.store import acks
from gateway.devices import register
from gateway.devices.draft import Fit
from gateway.devices.register import Hand
from rules import places
from rules.places import WORDS, Ended


async def settle(
    conn: AsyncConnection, now: datetime, device_ids: Sequence[int] | None = None
) -> list[Ended]:
    """End the alarms of those of these devices (None: all) that were moved or retired, and note it on orders.

    The caller owns the transaction. Gives the alarms that ended.
    """
    ended = await places.settle(conn, now, device_ids)
    if ended:
        await acks.end(conn, [each.alarm_id for each in ended], now, "cleared")
    for why, words in WORDS.items():
        alarms = {each.alarm_id: each.at for each in ended if each.why == why}
        if alarms:
            await together.alarms_ended(conn, alarms, now, because=words)
    return ended


async def apply(conn: AsyncConnection, fits: Sequence[Fit], hand: Hand) -> None:
    """Register or change devices: `register.apply`."""
    changed = [fit.was.device_id for fit in fits if fit.was is not None and fit.changes]
    await places.lock(conn, changed)
    await register.apply(conn, fits, hand)
    await settle(conn, hand.at, changed)


async def retire(conn: AsyncConnection, device_id: int, hand: Hand) -> None:
    """Let a device speak no more: `register.retire`."""
    await places.lock(conn, [device_id])
    await register.retire(conn, device_id, hand)
    await settle(conn, hand.at, [device_id])


async def bring_back(conn: AsyncConnection, device_id: int, hand: Hand) -> None:
    """Let a retired device speak again: `register.bring_back`. What had ended stays so."""
    await places.lock(conn, [device_id])
    await register.bring_back(conn, device_id, hand)
    await settle(conn, hand.at, [device_id])


async def undo(conn: AsyncConnection, change_id: int, device_id: int, hand: Hand) -> None:
    """Make a device again what it was: `register.undo`. What had ended stays so: it may begin anew."""
    await places.lock(conn, [device_id])
    await register.undo(conn, change_id, device_id, hand)
    await settle(conn, hand.at, [device_id])

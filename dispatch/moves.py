"""The moves of a work order, each one guarded write and one row of its story.

Everyone of them may raise NoSuchOrder, IllegalMove, NotYours, RequestReused (dispatch.refusals), all DispatchRefusal
with a `text: Text` for people. The caller owns the transaction; a refused move leaves it usable.
"""

from dataclasses import dataclass
from datetime import datetime

from psycopg import AsyncConnection

from config.text import Text
from dispatch.people import By
from dispatch.status import Status


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of the order. `repeated`: this very tap had been taken before, nothing happened now."""

    order_id: int
    before: Status
    after: Status
    at: datetime
    repeated: bool = False


# --- the technician; by.staff_id is required -------------------------------------------------------------


async def accept(conn: AsyncConnection, order_id: int, by: By, now: datetime) -> Moved:
    """Take an offered order; of two who are offered a critical one, the first wins. May raise OfferGone."""
    raise NotImplementedError


async def decline(conn: AsyncConnection, order_id: int, by: By, now: datetime, reason: str) -> Moved:
    """Turn an offer down. `reason`: a code of policy.decline_reasons, or the technician's own words."""
    raise NotImplementedError


async def set_off(conn: AsyncConnection, order_id: int, by: By, now: datetime) -> Moved:
    """Accepted, now on the way."""
    raise NotImplementedError


async def arrive(conn: AsyncConnection, order_id: int, by: By, now: datetime) -> Moved:
    """On the spot; work begins."""
    raise NotImplementedError


async def hold(
    conn: AsyncConnection, order_id: int, by: By, now: datetime, reason: str, remark: str = ""
) -> Moved:
    """Interrupt the work. `reason`: a code of policy.hold_reasons, which says whether the clocks stop."""
    raise NotImplementedError


async def resume(conn: AsyncConnection, order_id: int, by: By, now: datetime) -> Moved:
    """Go on; stopped clocks run again, deadlines move by the time they stood still."""
    raise NotImplementedError


async def progress(conn: AsyncConnection, order_id: int, by: By, now: datetime, words: str) -> Moved:
    """Say how it goes; the next progress note is due a whole interval later."""
    raise NotImplementedError


async def hand_back(conn: AsyncConnection, order_id: int, by: By, now: datetime, reason: str) -> Moved:
    """Give an accepted order back; it is offered to others."""
    raise NotImplementedError


# --- the office ----------------------------------------------------------------------------------------------


async def assign(
    conn: AsyncConnection, order_id: int, staff_id: int, by: By, now: datetime, why: str = ""
) -> Moved:
    """Offer the order to this technician, taking it from whoever has it. Refused (BadField) who lacks the skill."""
    raise NotImplementedError


async def withdraw(conn: AsyncConnection, order_id: int, by: By, now: datetime, why: str) -> Moved:
    """Take the order from whoever has it or is offered it, and match again in a new round."""
    raise NotImplementedError


async def cancel(conn: AsyncConnection, order_id: int, by: By, now: datetime, why: Text | str) -> Moved:
    """End the order without work."""
    raise NotImplementedError


async def merge(
    conn: AsyncConnection, order_id: int, into: int, by: By, now: datetime, why: str = ""
) -> Moved:
    """End the order because another live one does its work."""
    raise NotImplementedError


async def verify(conn: AsyncConnection, order_id: int, by: By, now: datetime, why: str = "") -> Moved:
    """The office looked at the completed work and agrees."""
    raise NotImplementedError


async def close(conn: AsyncConnection, order_id: int, by: By, now: datetime, why: str = "") -> Moved:
    """Close a verified order for good; the worker does it after a while by itself."""
    raise NotImplementedError


async def reopen(conn: AsyncConnection, order_id: int, by: By, now: datetime, why: str) -> Moved:
    """The work was not good; the order is matched anew, its former technician first."""
    raise NotImplementedError


async def note(conn: AsyncConnection, order_id: int, by: By, now: datetime, words: Text | str) -> Moved:
    """Add words to the order's story without moving it."""
    raise NotImplementedError

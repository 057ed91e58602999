"""One order's story from the signal to the record, and who could take it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg import AsyncConnection

from config.text import Text

Chapter = Literal[
    "signal", "alarm", "order", "offer", "answer", "move", "note", "escalation", "photo", "record"
]


@dataclass(frozen=True, slots=True)
class StoryEntry:
    """One moment. `who` is a person's name; None for the system."""

    at: datetime
    chapter: Chapter
    title: Text
    detail: Text
    who: str | None
    device_at: datetime | None = None
    device_id: int | None = None
    record_id: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A technician as the matching sees them for one order; `why` says it in words."""

    staff_id: int
    code: str
    name: str
    phone: str | None
    eligible: bool
    on_shift: bool
    load: int
    why: Text


async def story(conn: AsyncConnection, order_id: int) -> list[StoryEntry]:
    """Tell an order's story, oldest first; empty where there is no such order."""
    raise NotImplementedError


async def candidates(conn: AsyncConnection, order_id: int, now: datetime) -> list[Candidate]:
    """List the technicians who hold the skill, best first, each with what speaks for or against them."""
    raise NotImplementedError

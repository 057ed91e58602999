"""What the desk sees: live alarms, and orders by deadline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from config.text import Text
from dispatch.status import Severity, Status


@dataclass(frozen=True, slots=True)
class BoardAlarm:
    """One live alarm."""

    alarm_id: int
    community_id: int
    device_id: int
    device: str
    rule: str
    severity: Severity
    title: Text
    place: Text
    facts: dict[str, Any]
    raised_at: datetime
    paged_at: datetime | None
    order_id: int | None
    order_number: str | None


@dataclass(frozen=True, slots=True)
class BoardOrder:
    """One order that is not over, with the deadline that presses and whether it is missed."""

    order_id: int
    community_id: int
    number: str
    status: Status
    severity: Severity
    title: Text
    place: Text
    area: Text
    kind: str
    skill: str
    opened_at: datetime
    assignee_id: int | None
    assignee: str | None
    offered_to: tuple[str, ...]
    deadline: str | None  # "respond" | "arrive" | "progress" | "complete"
    deadline_at: datetime | None
    missed: bool
    paused: bool
    escalation: Text | None  # the reason somebody in the office is asked
    escalation_step: int


@dataclass(frozen=True, slots=True)
class Board:
    """The desk's board at one moment."""

    at: datetime
    alarms: tuple[BoardAlarm, ...]
    orders: tuple[BoardOrder, ...]


async def board(conn: AsyncConnection, communities: Sequence[int] | None, now: datetime) -> Board:
    """Read the board of these communities (None: all), escalated first, then by deadline."""
    raise NotImplementedError

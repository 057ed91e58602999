"""A work order as the decisions see it. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from config.text import Text
from dispatch.policy import Clocking
from dispatch.status import Severity, Status

Cause = Literal["unaccepted", "arrive", "progress", "complete", "hold", "verify"]


@dataclass(frozen=True, slots=True)
class Order:
    """One order's state. What it is about never changes; the rest changes by moves and sweeps."""

    id: int
    number: str
    community_id: int
    community: str
    zone: str
    asset_id: int
    area_id: int
    alarm_id: int | None
    plan_id: int | None
    kind: str
    skill: str
    severity: Severity
    title: Text
    place: Text
    opened_at: datetime
    clock: Clocking
    cancel_on_clear: bool
    status: Status
    assignee_id: int | None
    round: int
    respond_by: datetime | None
    arrive_by: datetime | None
    progress_by: datetime | None
    complete_by: datetime | None
    paused_at: datetime | None
    held_at: datetime | None
    hold_reason: str | None
    settled_at: datetime | None
    merged_into: int | None
    cause: Cause | None
    step: int
    escalated_at: datetime | None
    escalation: Text
    due_at: datetime | None
    # Somebody said of all its alarms "I am on it" until then: whoever took it is not asked for meanwhile.
    quiet_until: datetime | None = None

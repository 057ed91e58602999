"""What a technician sees: the list of jobs, and one job with all that is needed on the spot."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from config.text import Text
from dispatch.checklist import CheckItem
from dispatch.status import Severity, Status


@dataclass(frozen=True, slots=True)
class Job:
    """One line of the technician's list. `countdown_to` is the deadline that presses now, with its name."""

    order_id: int
    number: str
    status: Status
    severity: Severity
    title: Text
    place: Text
    asset: Text
    offered_until: datetime | None  # set while it is offered to this technician and not yet taken
    countdown: str | None  # "respond" | "arrive" | "complete" | "progress"; "offer" while offered
    countdown_to: datetime | None
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class PastFault:
    """One of the asset's last three faults."""

    at: datetime
    title: Text
    result: Text | None  # the record's summary, where one was written
    record_id: int | None


@dataclass(frozen=True, slots=True)
class PhotoRef:
    """A photo kept with an order; its content comes from `photo`."""

    sha256: str
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class JobCard:
    """One job, one screen. `mine` is False while it is only offered."""

    job: Job
    mine: bool
    community_id: int
    asset_id: int
    asset_code: str
    asset_class: str
    kind: str
    what: Text
    todo: Text  # one step a line
    safety: Text
    facts: dict[str, Any]  # the alarm's signal values
    checklist: tuple[CheckItem, ...]
    photos: tuple[PhotoRef, ...]
    faults: tuple[PastFault, ...]
    respond_by: datetime | None
    arrive_by: datetime | None
    progress_by: datetime | None
    complete_by: datetime | None
    paused_at: datetime | None
    hold_reason: str | None  # a code of policy.hold_reasons
    why_you: Text | None  # the explanation kept with the offer


async def jobs_of(conn: AsyncConnection, staff_id: int, now: datetime) -> list[Job]:
    """List what this technician is offered or holds, most pressing first."""
    raise NotImplementedError


async def job_card(conn: AsyncConnection, staff_id: int, order_id: int, now: datetime) -> JobCard | None:
    """Read one job whole; None where it is neither held by nor offered to this technician."""
    raise NotImplementedError

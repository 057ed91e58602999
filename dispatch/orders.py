"""Opening a work order: by an alarm, by a plan, or by hand."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from psycopg import AsyncConnection

from config.text import Text
from dispatch.checklist import CheckItem
from dispatch.people import SYSTEM, By
from dispatch.status import Severity

Clocking = Literal["around_the_clock", "business_hours"]
NOTHING = Text(zh="", en="")


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a new order needs. Deadlines left None come from config/dispatch.yaml by severity and area.

    `todo` is one step a line. `because` says in words why it was opened and stands in the order's story.
    """

    community_id: int
    asset_id: int
    kind: str
    skill: str
    severity: Severity
    title: Text
    what: Text = NOTHING
    todo: Text = NOTHING
    safety: Text = NOTHING
    checklist: tuple[CheckItem, ...] = ()
    alarm_id: int | None = None
    plan_id: int | None = None
    cancel_on_clear: bool = False
    respond: timedelta | None = None
    arrive: timedelta | None = None
    complete: timedelta | None = None
    clock: Clocking | None = None
    because: Text = NOTHING


async def open_order(conn: AsyncConnection, new: NewOrder, now: datetime, by: By = SYSTEM) -> int:
    """Open the order in the caller's transaction and wake the worker; the order's id."""
    raise NotImplementedError

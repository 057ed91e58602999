"""What a new work order needs. Pure."""

from dataclasses import dataclass
from datetime import timedelta

from config.checklist import ChecklistItem
from config.text import Text
from dispatch.policy import Clocking
from dispatch.status import Severity

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
    checklist: tuple[ChecklistItem, ...] = ()
    alarm_id: int | None = None
    plan_id: int | None = None
    cancel_on_clear: bool = False
    respond: timedelta | None = None
    arrive: timedelta | None = None
    complete: timedelta | None = None
    clock: Clocking | None = None
    because: Text = NOTHING

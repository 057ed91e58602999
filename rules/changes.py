"""What the rules found, in the form the rest of the house acts on."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rules.rule import Rule, Severity


@dataclass(frozen=True, slots=True)
class AlarmChange:
    """One change of one alarm, already stored in the same transaction.

    `raised`: a new alarm; `page` says whether people are to be told now (not for findings about the past).
    `paged`: an alarm raised earlier without telling anybody turned out to be still true: tell people now.
    `stepped`: its ladder made it more or less severe; `page`: more severe, and people are to be told now.
    `flapped`: an alarm that flaps came back once more; nothing is to be done about it.
    `cleared`: the alarm ended at `at` (event time).
    """

    kind: Literal["raised", "paged", "stepped", "flapped", "cleared"]
    alarm_id: int
    community_id: int
    device_id: int
    asset_id: int
    rule: "Rule"
    at: datetime
    page: bool
    facts: dict[str, Any]
    stepped_to: "Severity | None" = (
        None  # what its ladder made of it by now, where that is not the rule's own
    )

    @property
    def severity(self) -> "Severity":
        """How severe the alarm is."""
        return self.stepped_to or self.rule.severity

"""A rule of the house: what it finds, what that means, and what is to be done.

Spans inside triggers are whole microseconds, as all times of the engine are; deadlines of orders are
timedeltas.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from config.checklist import ChecklistItem
from config.text import Text

if TYPE_CHECKING:
    from rules.conditions import Condition
    from rules.during import During
    from rules.measures import Measure

LATE_AFTER = 15 * 60 * 1_000_000
# The signal and the word by which an asset says that somebody works on it.
MODE, INSPECTION = "service_mode", "inspection"

Severity = Literal["critical", "major", "minor", "info"]
SEVERITIES: tuple[Severity, ...] = ("info", "minor", "major", "critical")
"""From what can wait to what cannot."""


@dataclass(frozen=True, slots=True)
class OrderTemplate:
    """The work an alarm asks for; a deadline of None takes the house's default."""

    kind: str
    skill: str
    cancel_on_clear: bool = False
    checklist: tuple[ChecklistItem, ...] = ()
    respond: timedelta | None = None
    arrive: timedelta | None = None
    complete: timedelta | None = None


@dataclass(frozen=True, slots=True)
class HeldBy:
    """What keeps an alarm from people while it is so: the alarm stays true, and opens no order meanwhile.

    `orders`: the asset has a live order of such a kind; `work`: somebody is at work on one; `parents`: the
    parent asset has a live alarm of such a rule; `alarms`: the asset itself has; `inspection`: it is in
    inspection; `emergency`: its community is in a declared emergency (None: as the house says by severity).
    """

    orders: tuple[str, ...] = ()
    work: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    inspection: bool = False
    emergency: bool | None = None

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules whose alarms it waits for, on the asset itself or on its parent."""
        return (*self.parents, *self.alarms)


@dataclass(frozen=True, slots=True)
class Group:
    """Alarms of one asset or area, asking for the same kind of work, become one order within a time."""

    by: Literal["asset", "area"]
    within: timedelta


@dataclass(frozen=True, slots=True)
class Holds:
    """A condition that stays true for `hold`; with `times`, that becomes true so often within `within`."""

    when: "Condition"
    hold: int = 0
    times: int = 1
    within: int = 0
    unless: "Condition | None" = None
    during: "During | None" = None


@dataclass(frozen=True, slots=True)
class Happens:
    """An event by its code, and a condition on it where given; with `times`, so often within `within`."""

    codes: frozenset[str]
    when: "Condition | None" = None
    times: int = 1
    within: int = 0
    unless: "Condition | None" = None
    during: "During | None" = None


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing heard for a time; None takes the device profile's own."""

    after: int | None = None
    unless: "Condition | None" = None


@dataclass(frozen=True, slots=True)
class Offline:
    """The device (or the broker on its behalf) said that it is gone, and it stays so for a time."""

    hold: int = 0
    unless: "Condition | None" = None


@dataclass(frozen=True, slots=True)
class Rung:
    """A step of a severity ladder: while it holds, the alarm is at least this severe.

    With `when` it holds once that has been true for `hold`, and until it has been untrue for `down_after`.
    Without, it holds from `after` the alarm's beginning on; with `down_after`, only until nothing has said so
    for so long, and again as soon as something does.
    """

    severity: Severity
    when: "Condition | None" = None
    hold: int = 0
    after: int = 0
    down_after: int | None = None
    during: "During | None" = None


@dataclass(frozen=True, slots=True)
class Flapping:
    """Raised more than `times` times within `within` an alarm flaps: it stays until quiet for `quiet`."""

    times: int
    within: int
    quiet: int


Trigger = Holds | Happens | Silent | Offline


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: any of its triggers raises the alarm, except while the trigger's `unless` is true.

    It ends by `clear`, `clear_on` or `clear_after`, and without them when no trigger holds any longer; `keep`
    holds it for a while after that. Two rules are the same when their code is.
    """

    code: str
    asset_class: str
    severity: Severity
    title: Text
    meaning: Text
    todo: Text  # one step a line
    safety: Text
    order: OrderTemplate | None = None
    triggers: tuple[Trigger, ...] = ()
    clear: "Condition | None" = None
    clear_on: frozenset[str] = frozenset()
    clear_after: int | None = None
    keep: int = 0
    late_after: int = LATE_AFTER
    held_by: HeldBy = HeldBy()
    group: Group | Literal[False] | None = None  # None: as the house says
    ladder: tuple[Rung, ...] = ()
    flapping: Flapping | None = None

    @property
    def conditions(self) -> tuple["Condition", ...]:
        """Every condition of the rule."""
        when = (each.when for each in self.triggers if isinstance(each, Holds | Happens))
        unless = (each.unless for each in self.triggers)
        rungs = (each.when for each in self.ladder)
        return tuple(each for each in (*when, *unless, self.clear, *rungs) if each is not None)

    @property
    def signals(self) -> tuple[str, ...]:
        """Every signal that some condition of the rule reads."""
        return tuple(sorted({name for each in self.conditions for name in each.signals}))

    @property
    def codes(self) -> frozenset[str]:
        """Every event code that raises or clears."""
        raising = (each.codes for each in self.triggers if isinstance(each, Happens))
        return self.clear_on.union(*raising)

    @property
    def measures(self) -> tuple["Measure", ...]:
        """Every measure that some condition of the rule asks for."""
        return tuple(dict.fromkeys(measure for each in self.conditions for measure in each.measures))

    def listens_to(self, kind: type[Trigger]) -> bool:
        """Whether some trigger is of that kind."""
        return any(isinstance(each, kind) for each in self.triggers)

"""When a rule counts: named times of the house's calendar, at the event's own time. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from config.calendar import HouseCalendar, Schedule
from rules.moments import from_moment


@dataclass(frozen=True, slots=True)
class Term:
    """A named time, or any time but it."""

    schedule: Schedule
    wanted: bool


@dataclass(frozen=True, slots=True)
class During:
    """All of its terms must be so: `night`, `not holidays`, `night and not holidays`."""

    source: str
    terms: tuple[Term, ...]
    calendar: HouseCalendar = field(compare=False, repr=False)

    def has(self, moment: int, zone: str) -> bool:
        """Whether a moment (event time) is within, by the date and the clock of a time zone."""
        at = from_moment(moment).astimezone(ZoneInfo(zone))
        return all(self.calendar.has(each.schedule, at) is each.wanted for each in self.terms)


def parse_during(source: str, calendar: HouseCalendar, unknown: Callable[[int, str], None]) -> During | None:
    """Read what is written behind `during`; each name of no schedule is told with its place."""
    terms: list[Term] = []
    offset, wrong = 0, False
    for part in source.split(" and "):
        words = part.split()
        wanted = words[:1] != ["not"]
        name = " ".join(words if wanted else words[1:])
        if name in calendar.schedules:
            terms.append(Term(calendar.schedules[name], wanted))
        else:
            unknown(offset + (part.find(name) if name else 0), name)
            wrong = True
        offset += len(part) + len(" and ")
    return None if wrong else During(source, tuple(terms), calendar)

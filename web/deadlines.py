"""A deadline as people read it: how long is left, in words, and how urgent that is. Pure.

`static/js/countdown.js` keeps the same words counting in the browser.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

from config.text import Language, Text

Goal = Literal["offer", "respond", "arrive", "complete", "progress", "first_answer"]
Urgency = Literal["calm", "soon", "late"]

SOON: Final = timedelta(minutes=15)

# What is left and what is over, said for each goal; {} takes the duration.
_LEFT: Final[Mapping[Goal, Text]] = {
    "offer": Text(zh="请在 {} 内答复", en="{} left to answer"),
    "respond": Text(zh="还剩 {}接单", en="{} left to accept"),
    "arrive": Text(zh="还剩 {}到场", en="{} left to arrive"),
    "complete": Text(zh="还剩 {}完成", en="{} left to finish"),
    "progress": Text(zh="还剩 {}更新进展", en="{} left to report progress"),
    "first_answer": Text(zh="还剩 {}首次答复", en="{} left for a first answer"),
}
_LATE: Final[Mapping[Goal, Text]] = {
    "offer": Text(zh="答复已超时 {}", en="answer {} late"),
    "respond": Text(zh="接单已超时 {}", en="not accepted, {} late"),
    "arrive": Text(zh="到场已超时 {}", en="arrival {} late"),
    "complete": Text(zh="完成已超时 {}", en="finish {} late"),
    "progress": Text(zh="进展更新已超时 {}", en="progress report {} late"),
    "first_answer": Text(zh="首次答复已超时 {}", en="first answer {} late"),
}
_UNITS: Final[Mapping[Language, tuple[str, str, str]]] = {
    "zh": ("天", "小时", "分钟"),
    "en": ("d", "h", "min"),
}
_UNDER_A_MINUTE: Final = Text(zh="不到 1 分钟", en="under 1 min")


@dataclass(frozen=True, slots=True)
class Deadline:
    """What must have happened by when."""

    goal: Goal
    by: datetime

    def urgency(self, now: datetime) -> Urgency:
        """Late once it is over, soon in the last quarter of an hour."""
        left = self.by - now
        if left < timedelta(0):
            return "late"
        return "soon" if left <= SOON else "calm"

    def left_words(self, language: Language) -> str:
        """Return the sentence for time that is left, `{}` standing for it."""
        return _LEFT[self.goal][language]

    def late_words(self, language: Language) -> str:
        """Return the sentence for time that is over, `{}` standing for it."""
        return _LATE[self.goal][language]

    def say(self, now: datetime, language: Language) -> str:
        """Say how long is left, or how late it is."""
        left = self.by - now
        if left < timedelta(0):
            return self.late_words(language).replace("{}", duration(-left, language))
        words = clock(left) if self.goal == "offer" else duration(left, language)
        return self.left_words(language).replace("{}", words)


def duration(span: timedelta, language: Language) -> str:
    """Say a span in at most two units: 1 小时 5 分钟, 12 min."""
    minutes = int(span.total_seconds()) // 60
    counts = (minutes // 1440, minutes % 1440 // 60, minutes % 60)
    parts = [f"{count} {unit}" for count, unit in zip(counts, _UNITS[language], strict=True) if count]
    return " ".join(parts[:2]) if parts else _UNDER_A_MINUTE[language]


def clock(span: timedelta) -> str:
    """Say a short span to the second, 1:42: an offer runs out in minutes."""
    seconds = int(span.total_seconds())
    return f"{seconds // 60}:{seconds % 60:02d}"


def pressing(goal: str | None, by: datetime | None) -> Deadline | None:
    """Return the deadline a read model names, None where nothing presses."""
    known = next((each for each in get_args(Goal) if each == goal), None)
    return Deadline(known, by) if known is not None and by is not None else None

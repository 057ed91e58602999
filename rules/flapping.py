"""Flapping: what begins again and again is one alarm until it has been quiet for a while. Pure."""

from rules.conditions import Value
from rules.moments import span_in_words
from rules.rule import Flapping

# More beginnings than these are not counted: it flaps.
MOST_BEGUN = 100


FLAPPED = ("flapped", "flapped_within")
"""The facts of an alarm that say so."""


def flapped_facts(flapping: Flapping | None, flaps: int) -> dict[str, Value]:
    """Say how often an alarm began, and within what span; nothing of one that does not flap."""
    if flapping is None or not flaps:
        return {}
    return {"flapped": float(flaps), "flapped_within": span_in_words(flapping.within)}


class Beginnings:
    """A working copy of when one alarm began lately, and how often it did once it flaps (0: it does not)."""

    __slots__ = ("_flapping", "begun", "flaps")

    def __init__(self, flapping: Flapping | None, begun: tuple[int, ...], flaps: int) -> None:
        self._flapping = flapping
        self.begun = begun
        self.flaps = flaps

    def begins(self, at: int) -> dict[str, Value]:
        """Count a beginning; facts of an alarm that by now flaps."""
        flapping = self._flapping
        if flapping is None:
            return {}
        self.begun = tuple(sorted((*self.begun, at)))
        self.forget(self.begun[-1])
        self.begun = self.begun[-MOST_BEGUN:]
        if self.flaps or len(self.begun) > flapping.times:
            self.flaps = len(self.begun)
            return flapped_facts(flapping, self.flaps)
        return {}

    def forget(self, clock: int) -> None:
        """Event time has moved on: what began too long ago no longer counts."""
        within = 0 if self._flapping is None else self._flapping.within
        self.begun = tuple(each for each in self.begun if each > clock - within)

    def calmed(self) -> None:
        """The alarm is over: it does not flap any longer."""
        self.flaps = 0

    def quiet(self, asked: int) -> int:
        """For how long it must be quiet before it is over, where `asked` would do if it did not flap."""
        return max(asked, self._flapping.quiet) if self._flapping is not None and self.flaps else asked

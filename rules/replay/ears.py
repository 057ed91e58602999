"""What a device said in the order in which it was heard, not always that in which it happened. Pure."""

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import count

import msgspec

from rules.engine import Said, Status
from rules.moments import MINUTE

# What takes no longer than this on its way is heard as it happens.
AT_ONCE = MINUTE


class Ears:
    """Takes what one device said in order of event time; gives it in order of when it was heard.

    What was not heard late was heard as it happened; but right behind what is older and was heard within
    `AT_ONCE` after it, as a device that was away sends the oldest first.

    Of what a device said before it was moved only whether it was there goes with it, as in `rules.places`.
    """

    def __init__(
        self, late: Mapping[int, int], statuses: Iterable[tuple[int, bool]], moved: int | None = None
    ) -> None:
        """`late`: when moments were heard, by event time. `statuses`: (moment, whether it is online).

        `moved`: when it came to its asset from another; None: it was always there.
        """
        self._moved = moved
        self._there: bool | None = None  # when it was moved; None: not known, or told already
        self._late = late
        self._heard = sorted((heard, at) for at, heard in late.items())
        self._n = count()
        self._waiting: list[tuple[int, int, Said | Status]] = [
            (at, next(self._n), Status(at, online)) for at, online in statuses
        ]
        heapq.heapify(self._waiting)

    def take(self, said: Said) -> Iterator[Said | Status]:
        """What was heard up to what was said now, which comes last unless it was heard later."""
        for given in self._in_turn(said):
            yield from self._here(given)

    def rest(self) -> Iterator[Said | Status]:
        """What was heard after all that happened."""
        while self._waiting:
            yield from self._here(heapq.heappop(self._waiting)[2])
        yield from self._arrive()

    def _in_turn(self, said: Said) -> Iterator[Said | Status]:
        received = self._late.get(said.at) or self._behind(said.at)
        if received is not None:
            late = msgspec.structs.replace(said, received=received)
            heapq.heappush(self._waiting, (received, next(self._n), late))
            return
        while self._waiting and self._waiting[0][0] <= said.at:
            yield heapq.heappop(self._waiting)[2]
        yield said

    def _here(self, given: Said | Status) -> Iterator[Said | Status]:
        """What is about the asset that it watches now."""
        if self._moved is None:
            yield given
        elif given.received >= self._moved:
            yield from self._arrive()
            if isinstance(given, Status) or given.at >= self._moved:
                yield given
        elif isinstance(given, Status):
            self._there = given.online
        elif self._there is not None:
            self._there = True  # who speaks is there

    def _arrive(self) -> Iterator[Status]:
        if self._moved is not None and self._there is not None:
            yield Status(self._moved, self._there)
            self._there = None

    def _behind(self, at: int) -> int | None:
        """When the last was heard that is older and was heard shortly after this happened, if any was."""
        position = bisect_right(self._heard, (at + AT_ONCE, at))
        while position and self._heard[position - 1][0] > at:
            position -= 1
            if self._heard[position][1] < at:
                return self._heard[position][0]
        return None

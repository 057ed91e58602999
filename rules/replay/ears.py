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
    """

    def __init__(self, late: Mapping[int, int], statuses: Iterable[tuple[int, bool]]) -> None:
        """`late`: when moments were heard, by event time. `statuses`: (moment, whether it is online)."""
        self._late = late
        self._heard = sorted((heard, at) for at, heard in late.items())
        self._n = count()
        self._waiting: list[tuple[int, int, Said | Status]] = [
            (at, next(self._n), Status(at, online)) for at, online in statuses
        ]
        heapq.heapify(self._waiting)

    def take(self, said: Said) -> Iterator[Said | Status]:
        """What was heard up to what was said now, which comes last unless it was heard later."""
        received = self._late.get(said.at) or self._behind(said.at)
        if received is not None:
            late = msgspec.structs.replace(said, received=received)
            heapq.heappush(self._waiting, (received, next(self._n), late))
            return
        while self._waiting and self._waiting[0][0] <= said.at:
            yield heapq.heappop(self._waiting)[2]
        yield said

    def rest(self) -> Iterator[Said | Status]:
        """What was heard after all that happened."""
        while self._waiting:
            yield heapq.heappop(self._waiting)[2]

    def _behind(self, at: int) -> int | None:
        """When the last was heard that is older and was heard shortly after this happened, if any was."""
        position = bisect_right(self._heard, (at + AT_ONCE, at))
        while position and self._heard[position - 1][0] > at:
            position -= 1
            if self._heard[position][1] < at:
                return self._heard[position][0]
        return None

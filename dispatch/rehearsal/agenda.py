"""What is to come in a rehearsal: in order of time, and at one moment as it was put there. Pure."""

import heapq
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count


class Agenda:
    """Each entry is called with its moment when that comes."""

    def __init__(self) -> None:
        self._coming: list[tuple[int, int, Callable[[int], None]]] = []
        self._n = count()

    def at(self, at: int | None, what: Callable[..., None], *about: object) -> None:
        """Call at a moment, with what it is about before that; never where it is None."""
        if at is not None:
            coming: tuple[int, int, Callable[[int], None]] = (at, next(self._n), partial(what, *about))
            heapq.heappush(self._coming, coming)

    def until(self, end: int) -> Iterator[int]:
        """Go from moment to moment before `end`: each is given after what comes then was called."""
        while self._coming and (at := self._coming[0][0]) < end:
            while self._coming and self._coming[0][0] == at:
                heapq.heappop(self._coming)[2](at)
            yield at

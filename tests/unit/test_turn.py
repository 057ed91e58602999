"""Turns: none commits before the one before it, and what was begun behind a failure is begun again."""

import asyncio
import contextlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clerestory.turn import BeforeFailed, Turn


class Away(Exception):
    """The database is away."""


class Batches:
    """Batches that fail as often as they are told, worked on as the pipeline does."""

    def __init__(self, failures: Sequence[int], naps: Sequence[int], alone: Sequence[bool]) -> None:
        self.left = list(failures)
        self.naps = naps
        self.alone = alone
        self.committed: list[int] = []
        self.begun_ahead = 0

    async def run(self) -> None:
        turn: Turn | None = None
        async with asyncio.TaskGroup() as working:
            for number in range(len(self.left)):
                self.begun_ahead += turn is not None and not turn.over.is_set()
                turn = Turn(before=turn)
                working.create_task(self._move(number, turn))
                await turn.room.wait()

    async def _move(self, number: int, turn: Turn) -> None:
        while True:
            try:
                await self._take(number, turn)
                break
            except BeforeFailed:
                await turn.wait_for_before()
            except Away:
                await asyncio.sleep(0)
        turn.close()

    async def _take(self, number: int, turn: Turn) -> None:
        async with turn:
            await self._nap(number)
            await turn.come(wants_no_lock=not self.alone[number])
            await self._nap(number)
            if self.left[number]:
                self.left[number] -= 1
                raise Away
            self.committed.append(number)

    async def _nap(self, number: int) -> None:
        for _ in range(self.naps[number]):
            await asyncio.sleep(0)


_sizes = st.integers(1, 8)


@given(st.data(), _sizes)
def test_whatever_fails_they_commit_once_each_and_in_order(data: st.DataObject, size: int) -> None:
    def some(each: st.SearchStrategy[int]) -> list[int]:
        return data.draw(st.lists(each, min_size=size, max_size=size))

    alone = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    batches = Batches(some(st.sampled_from([0, 0, 1, 2])), some(st.integers(0, 4)), alone)
    asyncio.run(asyncio.wait_for(batches.run(), 10))
    assert batches.committed == list(range(size))


def test_the_next_is_begun_while_one_is_being_committed() -> None:
    batches = Batches([0, 0, 0], [3, 3, 3], [False, False, False])
    asyncio.run(batches.run())
    assert batches.begun_ahead == 2


def test_nothing_is_begun_behind_what_may_still_wait_for_a_lock() -> None:
    batches = Batches([0, 0, 0], [3, 3, 3], [True, True, True])
    asyncio.run(batches.run())
    assert batches.begun_ahead == 0


async def test_who_follows_a_failure_is_told() -> None:
    first = Turn()
    second = Turn(before=first)
    with contextlib.suppress(Away):
        async with first:
            await first.come(wants_no_lock=True)
            raise Away
    with pytest.raises(BeforeFailed):
        await second.come(wants_no_lock=True)
    assert not second.room.is_set()
    async with first:  # tried again, and committed: yet what was begun behind the first try is of no use
        await first.come(wants_no_lock=True)
    with pytest.raises(BeforeFailed):
        await second.come(wants_no_lock=True)
    first.close()
    await second.wait_for_before()
    await second.come(wants_no_lock=True)

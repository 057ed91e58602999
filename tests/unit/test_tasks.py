"""Ending a task for certain."""

import asyncio

import pytest

from config import tasks


async def test_a_task_that_loses_a_cancellation_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0.01)
    asked = 0

    async def deaf() -> None:
        nonlocal asked
        while asked < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                asked += 1

    async with asyncio.timeout(5):
        task = asyncio.create_task(deaf())
        await asyncio.sleep(0)
        await tasks.end(task)
    assert asked == 3


async def test_how_a_task_ends_is_its_own_affair() -> None:
    async def fail() -> None:
        raise ValueError

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await tasks.end(task)
    await tasks.end()
    assert task.done()

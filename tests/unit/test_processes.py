"""Processes that run beside a block: they end together, and none dies unnoticed."""

import asyncio
from typing import cast

import pytest

from clerestory import processes
from clerestory.processes import Process, running
from clerestory.site import Site

NOWHERE = cast("Site", None)


class Broken(RuntimeError):
    """What one of the processes fails with."""


def run_only(monkeypatch: pytest.MonkeyPatch, *wanted: Process) -> None:
    monkeypatch.setattr(processes, "PROCESSES", wanted)


async def until_stopped(_site: Site, stop: asyncio.Event) -> None:
    await stop.wait()


async def test_a_process_that_fails_ends_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_site: Site, _stop: asyncio.Event) -> None:
        raise Broken

    run_only(monkeypatch, until_stopped, fail)
    with pytest.raises(Broken):
        async with asyncio.timeout(5), running(NOWHERE):
            await asyncio.Event().wait()


async def test_processes_finish_what_they_have_in_hand_when_the_block_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = []

    async def finish(_site: Site, stop: asyncio.Event) -> None:
        await stop.wait()
        await asyncio.sleep(0.01)
        done.append("batch")

    run_only(monkeypatch, until_stopped, finish)
    async with running(NOWHERE):
        await asyncio.sleep(0)
    assert done == ["batch"]

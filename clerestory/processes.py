"""What `clerestory up` runs: gateway, worker and pages in one process, started and stopped together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from clerestory.pipeline import run_gateway
from clerestory.server import run_web
from clerestory.site import Site
from clerestory.worker import run_worker

Process = Callable[[Site, asyncio.Event], Awaitable[None]]
PROCESSES: tuple[Process, ...] = (run_gateway, run_worker, run_web)


async def run_all(site: Site, stop: asyncio.Event) -> None:
    """Run every process until `stop` is set; where one fails, the others end and its failure is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for process in PROCESSES:
                group.create_task(_run(process, site, stop), name=process.__name__)
    except BaseExceptionGroup as failures:
        raise first_failure(failures) from failures


def first_failure(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that came first: whatever follows in a group of tasks follows from it."""
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


async def _run(process: Process, site: Site, stop: asyncio.Event) -> None:
    try:
        await process(site, stop)
    finally:
        stop.set()


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[None]:
    """Have every process run beside the block; they finish what they have in hand when it ends.

    Where one of them fails, the block is cancelled and the failure is raised.
    """
    stop = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(run_all(site, stop))
            try:
                yield
            finally:
                stop.set()
                await asyncio.wait([task])
    except BaseExceptionGroup as failures:
        raise first_failure(failures) from failures

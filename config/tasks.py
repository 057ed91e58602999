"""Ending a task for certain."""

import asyncio

AGAIN_SECONDS = 1.0


async def end(*tasks: "asyncio.Task[None]") -> None:
    """Cancel tasks and wait until they have ended, however they end.

    A cancellation may get lost in a library, where it meets the very answer that was waited for (as in
    `asyncio.wait_for` of Python 3.11); who then waits without asking again waits for ever.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)

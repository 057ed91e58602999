"""One process of a replay: reads its part from its input, writes how far it is, then what it found."""

import asyncio
import os
import sys
from time import monotonic

import msgspec

from rules.replay.crew import Line
from rules.replay.run import Part, Progress, run_part

# A gateway or a worker on the same machine goes first.
NICE = 10
TELL_SECONDS = 0.25


def main() -> None:
    """Do the part, telling a line of JSON at a time."""
    os.nice(NICE)
    part = msgspec.json.decode(sys.stdin.buffer.read(), type=Part)
    told = 0.0

    def tell(progress: Progress) -> None:
        nonlocal told
        now = monotonic()
        if now - told >= TELL_SECONDS:
            told = now
            _say(Line(progress=progress))

    try:
        found = Line(tally=asyncio.run(run_part(part, tell)))
    except Exception as error:  # noqa: BLE001 - whoever started us tells it to people
        found = Line(trouble=f"{type(error).__name__}: {str(error).splitlines()[0]}")
    _say(found)


def _say(line: Line) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


main()

"""Who plays in a round: every bin and elevator, with what each says."""

from dataclasses import dataclass
from datetime import datetime
from random import Random

from tests.chaos.away import gone_bin, still_bin
from tests.chaos.script import Device, backlog_bin, busy_bin, fluttering_bin, lift, swaying_bin, turned_bin


@dataclass(frozen=True, slots=True)
class Size:
    """How large a round is."""

    busy: int  # bins that are watched closely
    lifts: int
    swaying: int  # bins whose alarm climbs and comes down
    fluttering: int  # bins whose alarm comes and goes too often
    turned: int  # bins whose alarms share orders
    gone: int  # bins that are said to be gone, and come back or not
    still: int  # bins that fall silent and speak again
    backlog: int  # bins that empty a day's memory at once
    seconds: float  # over which the busy ones speak
    payments: int
    hostile: int


SMALL = Size(
    busy=12,
    lifts=3,
    swaying=6,
    fluttering=4,
    turned=6,
    gone=6,
    still=5,
    backlog=25,
    seconds=5.0,
    payments=4,
    hostile=25,
)
FULL = Size(
    busy=40,
    lifts=10,
    swaying=20,
    fluttering=12,
    turned=20,
    gone=12,
    still=15,
    backlog=1000,
    seconds=15.0,
    payments=12,
    hostile=80,
)


def devices(rng: Random, start: datetime, size: Size, *, alone: bool = True) -> list[Device]:
    """Every bin and elevator of the round with what it says; `alone`: to one gateway."""
    made = [busy_bin(rng, f"bin-{n}", start, size.seconds) for n in range(size.busy)]
    made += [backlog_bin(rng, f"far-{n}", start, size.seconds) for n in range(size.backlog)]
    made += [lift(rng, f"lift-{n}", start, size.seconds) for n in range(size.lifts)]
    made += [swaying_bin(rng, f"sway-{n}", start, size.seconds) for n in range(size.swaying)]
    made += [fluttering_bin(rng, f"flutter-{n}", start, size.seconds) for n in range(size.fluttering)]
    made += [turned_bin(rng, f"turned-{n}", start, size.seconds) for n in range(size.turned)]
    made += [gone_bin(rng, f"gone-{n}", start, size.seconds, alone=alone) for n in range(size.gone)]
    made += [still_bin(rng, f"still-{n}", start, size.seconds) for n in range(size.still)]
    return made

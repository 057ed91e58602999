"""How many alarms the vibration rule gives on a recorded door, and why: `python -m benchmarks.vibration`.

The recording (4 Hz, peak use of one elevator) goes through the engine and the shipped rule as a gateway would
send it: one message a window, with the highest vibration in it. It once went through a spreadsheet that lost
the decimal point of many samples (9.9937 became 99.937), which a rule cannot tell from a door that shakes. So
the same is counted twice, as recorded and with the points put back, and every alarm says what its samples
show.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks.machine import table
from clerestory.simulate.elevator import SAMPLES_A_SECOND, Sample, elevator_timeline, read_samples
from rules.book import load_rulebook
from rules.engine import Facts, Said
from rules.moments import DAY, SECOND, to_moment
from rules.scenario import START, Rehearsal

RECORDED = Path(__file__).parents[2] / "shared" / "data" / "elevator" / "car-door-4hz.csv"
RULE = "door_vibration_high"
LIMIT = "door_vibration_high_db"
WINDOW_SECONDS = 15.0
# The door itself never gave more than 26 dB, and nothing at all lies between that and 30 dB: what is above
# has lost its decimal point.
HIGHEST_REAL_DB = 26.0


@dataclass(frozen=True, slots=True)
class Found:
    """One alarm, in minutes from the beginning, and what the samples in it show."""

    raised_minute: float
    cleared_minute: float | None
    highest_db: float
    typical_db: float
    above_limit_percent: float
    lost_point_percent: float

    @property
    def why(self) -> str:
        """What raised it, in words."""
        if self.lost_point_percent > 0:
            return (
                f"{self.lost_point_percent:.0f} % of its samples lost their decimal point (up to"
                f" {self.highest_db:.1f} dB); the others are at {self.typical_db:.1f} dB"
            )
        return (
            f"the door did shake: {self.above_limit_percent:.0f} % of its samples at the limit or above,"
            f" up to {self.highest_db:.1f} dB, typically {self.typical_db:.1f} dB"
        )


@dataclass(frozen=True, slots=True)
class Account:
    """All alarms of one pass."""

    hours: float
    samples: int
    lost: int
    alarms: tuple[Found, ...]

    @property
    def a_day(self) -> float:
        """Alarms a day if a whole day were like the recording."""
        return len(self.alarms) * 24 / self.hours


def mended(samples: Sequence[Sample]) -> list[Sample]:
    """The recording with its lost decimal points put back."""
    return [
        replace(each, vibration_db=each.vibration_db / 10) if each.vibration_db > HIGHEST_REAL_DB else each
        for each in samples
    ]


def account(samples: Sequence[Sample], window_seconds: float = WINDOW_SECONDS) -> Account:
    """Play a recording through the shipped rule, and account for every alarm."""
    rules = load_rulebook().for_class("elevator")
    site = Rehearsal(rules, Facts(rules.asset({})))
    limit = float(rules.attributes[LIMIT].default)
    for report in elevator_timeline(samples, "door", START, timedelta(seconds=window_seconds)):
        moment = to_moment(report.ts)
        site.sleep(moment)
        site.take(Said(moment, moment, dict(report.readings)))
    end = len(samples) * SECOND // SAMPLES_A_SECOND
    found = [
        _found(samples, alarm.raised, alarm.cleared, limit, end)
        for alarm in site.alarms
        if alarm.rule == RULE
    ]
    lost = sum(each.vibration_db > HIGHEST_REAL_DB for each in samples)
    return Account(end * 24 / DAY, len(samples), lost, tuple(found))


def _found(samples: Sequence[Sample], raised: int, cleared: int | None, limit: float, end: int) -> Found:
    """What the samples say from the minute before an alarm was raised until it ended."""
    first = max(0, (raised - 60 * SECOND) * SAMPLES_A_SECOND // SECOND)
    last = (end if cleared is None else cleared) * SAMPLES_A_SECOND // SECOND
    levels = [each.vibration_db for each in samples[first:last]]
    real = [level for level in levels if level <= HIGHEST_REAL_DB]
    return Found(
        raised_minute=raised / SECOND / 60,
        cleared_minute=None if cleared is None else cleared / SECOND / 60,
        highest_db=max(levels),
        typical_db=median(real or levels),
        above_limit_percent=100 * sum(level >= limit for level in levels) / len(levels),
        lost_point_percent=100 * (len(levels) - len(real)) / len(levels),
    )


def told(name: str, each: Account) -> str:
    """One pass for people."""
    rows: list[tuple[str, object]] = [
        ("samples", f"{each.samples}, {each.lost} of them without their decimal point"),
        ("alarms", f"{len(each.alarms)} in {each.hours:.1f} h: {each.a_day:.1f} a day of such use"),
    ]
    for alarm in each.alarms:
        end = "the end" if alarm.cleared_minute is None else f"{alarm.cleared_minute:.0f}"
        rows.append((f"minute {alarm.raised_minute:.0f} to {end}", alarm.why))
    return table(name, rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Play the recording twice and print the alarms of each pass."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vibration", description=__doc__)
    parser.add_argument("--recording", type=Path, default=RECORDED, help="the CSV of the recorded door")
    parser.add_argument(
        "--window", type=float, default=WINDOW_SECONDS, help="seconds a message tells of (%(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    asked = parser.parse_args(argv)
    if not asked.recording.exists():
        parser.error(f"the recording is not at {asked.recording}; name it with --recording")
    samples = read_samples(asked.recording)
    passes = {
        "as recorded": account(samples, asked.window),
        "with the decimal points put back": account(mended(samples), asked.window),
    }
    if asked.json:
        found = {name: {**asdict(each), "alarms_a_day": each.a_day} for name, each in passes.items()}
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(told(name, each) for name, each in passes.items()))


if __name__ == "__main__":
    main()

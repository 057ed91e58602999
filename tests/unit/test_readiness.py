"""Whether a process is ready, judged: each part that is not is named with why."""

from dataclasses import dataclass
from time import monotonic

import pytest

from clerestory.seeing.readiness import LONGEST_BEAT, LONGEST_HOLD, LONGEST_TURN, judge, judge_database
from clerestory.seeing.watch import Watch
from gateway.session import Session
from tests.manual_clock import ManualClock
from web.operations_store import Writable
from web.vitals import Part


@dataclass
class Work:
    """A kind of work as it stands."""

    turns: int = 1
    failures: int = 0
    trouble: str = ""
    turned_at: float = 0.0


NOW = monotonic() + 1000.0
FINE = Writable(recovering=False, read_only=False, waiting=[], unknown=[])


def gateway(*, held: float = 0.0, trouble: str = "", connected: bool = True) -> Watch:
    session = Session("mqtt://127.0.0.1:1", "gateway-test", ManualClock())
    if connected:
        session.connected.set()
    if held:
        session.tally.give_out(5, NOW - held)
        session.tally.fail(trouble)
    return Watch(roles=("gateway",), session=session)


def worker(**work: Work) -> Watch:
    return Watch(roles=("worker",), loops=dict(work))


def not_ready(parts: list[Part]) -> list[str]:
    return [f"{part.name}: {part.said}" for part in parts if not part.ok]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (FINE, ""),
        (Writable(recovering=True, read_only=True, waiting=[], unknown=[]), "is a replica"),
        (Writable(recovering=False, read_only=True, waiting=[], unknown=[]), "is read-only"),
        (Writable(recovering=False, read_only=False, waiting=["0016_x"], unknown=[]), "clerestory migrate"),
        (Writable(recovering=False, read_only=False, waiting=[], unknown=["0099_x"]), "newer version"),
    ],
)
def test_a_database_is_judged(found: Writable, said: str) -> None:
    part = judge_database(found, Watch(), NOW)
    assert part.ok is (not said)
    assert said in part.said


def test_a_write_that_failed_or_is_long_ago_is_not_ready() -> None:
    full = judge_database(FINE, Watch(beat_trouble="No space left on device"), NOW)
    assert not full.ok
    assert "No space left on device" in full.said
    assert not judge_database(FINE, Watch(beat_at=NOW - LONGEST_BEAT - 1), NOW).ok
    assert judge_database(FINE, Watch(beat_at=NOW - 1), NOW).ok


@pytest.mark.parametrize(
    ("watch", "said"),
    [
        (gateway(), []),
        (gateway(held=LONGEST_HOLD - 1), []),
        (
            gateway(held=LONGEST_HOLD + 1, trouble="disk full"),
            ["commit: a batch has waited 31 s to be committed: disk full"],
        ),
        (gateway(connected=False), ["broker: not connected to 127.0.0.1:1"]),
        (Watch(roles=("gateway",)), ["broker: not connected yet"]),
        (Watch(roles=("web",)), []),
        (worker(dispatch=Work(turned_at=NOW - 1), outbox=Work(turned_at=NOW - 1)), []),
        (worker(dispatch=Work(turned_at=NOW - LONGEST_TURN - 1)), ["work: dispatch: last turn 61 s ago"]),
        (worker(plans=Work(turned_at=NOW - 300)), []),
        (worker(timers=Work(turned_at=NOW, trouble="deadlock")), ["work: timers: deadlock"]),
        (worker(outbox=Work(turned_at=NOW, trouble="broker away")), ["broker: broker away"]),
        (worker(), ["work: not at work yet"]),
    ],
)
def test_a_process_is_judged_by_its_roles(watch: Watch, said: list[str]) -> None:
    assert not_ready(judge(watch, NOW)) == said

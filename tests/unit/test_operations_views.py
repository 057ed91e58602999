"""The operations page's judgement: what is wrong is named with what to do, and nothing else is."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.manual_clock import START
from web.operations_store import House, Process
from web.operations_views import Operations, operations

QUIET = House(
    alarms={"critical": 0, "major": 0, "minor": 0, "info": 0},
    orders={"open": 2},
    late={"respond": 0, "arrive": 0, "progress": 0, "complete": 0},
    escalated=0,
    outbox=0,
    outbox_age=0.0,
    letters=0,
    timers=0,
    timer_age=0.0,
)
GATEWAY: Mapping[str, Any] = {
    "received": 100,
    "committed": 90,
    "refused": 4,
    "reasons": {"not_json": 3, "unknown_device": 1},
    "dropped": 5,
    "lost": 0,
    "waiting": 1,
    "in_hand": 0,
    "missing": 0,
    "per_second": 12.5,
    "connected": True,
    "paused": False,
    "octets": 10,
    "failures": 0,
    "trouble": "",
    "held": 0.0,
    "commit_age": 0.1,
    "lag": 0.025,
}


def process(
    number: int, *roles: str, started: int = 60, seen: int = 2, work: str = "", **gateway: object
) -> Process:
    """One process, started and seen so many seconds ago."""
    figures: dict[str, Any] = {"memory": 60 << 20}
    if "gateway" in roles:
        figures["gateway"] = {**GATEWAY, **gateway}
    if "worker" in roles:
        figures["work"] = {"dispatch": {"turns": 9, "trouble": work}}
    return Process(
        id=UUID(int=number),
        roles=list(roles),
        name=f"gw-{number}" if "gateway" in roles else "",
        host="lotus",
        pid=number,
        version="0.1.0",
        started_at=START - timedelta(seconds=started),
        seen_at=START - timedelta(seconds=seen),
        stopped_at=None,
        figures=figures,
    )


def judged(*processes: Process, house: House = QUIET) -> Operations:
    return operations(house, processes, START)


def test_a_site_at_rest_needs_nobody() -> None:
    ops = judged(process(1, "gateway", "worker", "web"), process(2, "gateway"))
    assert ops.findings == ()
    assert ops.everything_stored
    total = ops.total
    assert total.received == 200
    assert total.received == total.committed + total.refused + total.dropped + total.lost + total.in_flight


@pytest.mark.parametrize(
    ("gateway", "tone", "says", "stored"),
    [
        ({"connected": False}, "critical", "does not reach the broker", False),
        (
            {"held": 45.0, "trouble": "disk full"},
            "critical",
            "could not store a batch for 45 s: disk full",
            False,
        ),
        ({"missing": 1}, "critical", "lost track of 1 messages", False),
        ({"paused": True}, "major", "reads no more", True),
        ({"lost": 7, "dropped": 12}, "minor", "lost 7 messages sent with QoS 0", False),
    ],
)
def test_what_a_gateway_says_is_understood(
    gateway: dict[str, Any],
    tone: str,
    says: str,
    stored: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    ops = judged(process(1, "gateway", **gateway), process(2, "worker"))
    [finding] = ops.findings
    assert finding.tone == tone
    assert says in finding.what.en
    assert finding.todo.en
    assert finding.todo.zh
    assert ops.everything_stored is stored


@pytest.mark.parametrize(
    ("house", "says"),
    [
        (replace(QUIET, late={"respond": 1, "arrive": 2}), "3 orders are late"),
        (
            replace(QUIET, outbox=4, outbox_age=660.0),
            "4 notices or receipts are not delivered, the oldest for 11",
        ),
        (replace(QUIET, timers=2, timer_age=90.0), "timers of 2 devices are overdue"),
        (
            replace(QUIET, letters=9),
            "9 messages were refused and are kept (lately: The payload is not JSON 3",
        ),
    ],
)
def test_what_waits_too_long_is_said(house: House, says: str) -> None:
    ops = judged(process(1, "gateway", "worker"), house=house)
    [finding] = ops.findings
    assert says in finding.what.en
    assert ops.everything_stored


def test_nobody_there_is_critical() -> None:
    ops = judged()
    assert [finding.tone for finding in ops.findings] == ["critical", "critical"]
    assert not ops.everything_stored


def test_who_fell_silent_is_missed_until_another_takes_over() -> None:
    worker = process(9, "worker")
    gone = process(1, "gateway", started=500, seen=120)
    ops = judged(worker, gone, process(2, "gateway"))
    assert [finding.tone for finding in ops.findings] == ["major"]
    assert "fell silent" in ops.findings[0].what.en
    again = replace(process(3, "gateway", started=100), name=gone.name)
    assert judged(worker, gone, again).findings == ()
    long_ago = replace(gone, seen_at=START - timedelta(hours=2))
    assert judged(worker, long_ago, process(2, "gateway")).findings == ()


def test_who_said_goodbye_is_not_missed() -> None:
    left = replace(process(1, "worker", started=500, seen=120), stopped_at=START - timedelta(seconds=120))
    ops = judged(left, process(2, "gateway", "worker"))
    assert ops.findings == ()
    assert [runner.state for runner in ops.runners] == ["stopped", "runs"]


def test_failing_work_and_a_half_done_upgrade_are_said() -> None:
    old = replace(process(1, "gateway"), version="0.0.9")
    ops = judged(old, process(2, "worker", work="ValueError: x"))
    assert [finding.tone for finding in ops.findings] == ["major", "minor"]
    assert "“dispatch” fails: ValueError: x" in ops.findings[0].what.en
    assert "0.0.9, 0.1.0" in ops.findings[1].what.en


def test_devices_that_nobody_registered_lead_to_where_they_are_adopted() -> None:
    ops = judged(process(1, "gateway", "worker"), house=replace(QUIET, letters=1))
    assert ops.findings[0].href == "/devices/strangers"
    junk = process(1, "gateway", "worker", reasons={"not_json": 3})
    assert judged(junk, house=replace(QUIET, letters=3)).findings[0].href == ""


@pytest.mark.parametrize(
    ("failing", "says"),
    [
        (1, "The timers of one device fail (home/bin-1: UntranslatableCharacter)."),
        (9, "The timers of 9 devices fail (home/bin-1: UntranslatableCharacter, …)."),
    ],
)
def test_devices_whose_timers_fail_are_named(failing: int, says: str) -> None:
    some = {"home/bin-1": "UntranslatableCharacter"}
    worker = process(2, "gateway", "worker")
    worker.figures["timers"] = {"failing": failing, "some": some}
    [finding] = judged(worker).findings
    assert finding.what.en == says
    assert "home/bin-1" in finding.what.zh
    assert finding.todo.zh

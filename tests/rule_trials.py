"""A trial with its result, for tests of pages."""

from datetime import datetime, timedelta

import msgspec
from psycopg import AsyncConnection

from dispatch.foresight import AlarmTime, Change, Foresight, OrdersLine, RuleLine, Words
from dispatch.rehearsal.funnel import Funnel
from rules.replay.tally import RuleTally
from rules.sources import file_sources
from rules.versions import trial_store
from rules.versions.force import in_force

DAY = timedelta(days=1)


def changed(file: str, before: str, after: str) -> str:
    """Return the words of a shipped file with something replaced."""
    text = next(source.text for source in file_sources(None) if source.name == file)
    assert before in text
    return text.replace(before, after)


async def done_trial(conn: AsyncConnection, account_id: int, now: datetime, *, device: str, file: str) -> int:
    """Keep a finished trial in which one alarm of a device in `home` would be new."""
    text = changed(file, "\nrules:\n", "\n# tried\nrules:\n")
    digest = in_force(file_sources(None), []).digest(file)
    trial = await trial_store.ask(conn, file, 0, digest, text, (now - 30 * DAY, now), account_id)
    await trial_store.claim(conn, now, DAY)
    rule = "stopped_between_floors" if file == "elevator" else "bin_overflow"
    alarm = AlarmTime("major", now - 2 * DAY, now - DAY, paged=True, earlier=False)
    name = Words("设备", "Device")
    found = Foresight(
        start=now - 30 * DAY,
        end=now,
        warm_from=now - 40 * DAY,
        devices=1,
        readings=12_345,
        events=6,
        seconds=1.0,
        cpu_seconds=1.0,
        skipped=("offline_rule",),
        rules=(RuleLine(rule, Words("规则", "Rule"), "major", RuleTally(new=1, fresh=1)),),
        orders=(
            OrdersLine(
                "home",
                Words("全区", "All"),
                "elevator_repair",
                "elevator",
                1.2,
                1.9,
                ("王建国",),
                Funnel(alarms=9, orders=5, joined=2, held={"mute": 1, "order": 1}),
                Funnel(alarms=17, orders=8, joined=3, held={"mute": 2, "order": 4}, waited=1, supposed=3),
                recorded=1.2,
            ),
            OrdersLine("home", Words("全区", "All"), "gardening", "gardening", 1.0, 0.0, ()),
        ),
        changes=(Change("home", device, name, rule, "new", None, alarm, None),),
        left_out=0,
        rehearsed=True,
        partly=("elevator_offline",),
        heard_since=now - 10 * DAY,
    )
    await trial_store.finish(conn, trial, msgspec.json.encode(found), now)
    return trial

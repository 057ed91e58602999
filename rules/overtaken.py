"""Hearing devices whose messages are shared among gateways: in whatever order, the same alarms.

What comes in order is stepped as ever, and kept for a while. What was overtaken is put where it belongs, and
what was told wrongly meanwhile is put right (`rules.rewind`). A message that was overtaken by more than is
kept changes nothing, as anything late does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from psycopg import AsyncConnection

from gateway.signals import Device
from rules import hearings, store
from rules.changes import AlarmChange
from rules.engine import Facts, Input, Said, Tick, step
from rules.findings import Finding, Key, SeverityStep
from rules.hearings import Kept
from rules.moments import from_moment, span, to_moment
from rules.rewind import Correction, Told, replay, rewind, without_presence
from rules.rule import SEVERITIES
from rules.ruleset import RuleSet
from rules.state import DeviceState, encode_state

# So long a gateway may be away with messages in hand that others overtake.
KEPT = timedelta(minutes=30)
WITHDRAWN = "withdrawn"
"""The fact that marks an alarm which, when all was known, never was."""


@dataclass(slots=True)
class Stepped:
    """A device in this batch: its memory before and after it was stepped, and what it said.

    Where something was overtaken (`late`), `in_time` is not stepped yet: what is older goes first.
    """

    device: Device
    rules: RuleSet
    facts: Facts
    before: DeviceState
    after: DeviceState
    in_time: list[Said]
    late: list[Said]


def step_device(
    device: Device,
    rules: RuleSet,
    state: DeviceState,
    given: Sequence[Input],
    facts: Facts,
    findings: list[Finding],
) -> DeviceState:
    """Step the rules of a device; what they find joins `findings`."""
    for each in given:
        state, effects = step(rules, state, each, facts)
        if effects:
            wall = each.now if isinstance(each, Tick) else each.received
            findings += [Finding(device.key, device.asset_id or 0, effect, wall) for effect in effects]
    return state


def step_in_order(
    device: Device,
    rules: RuleSet,
    before: DeviceState,
    given: Sequence[Input],
    facts: Facts,
    findings: list[Finding],
) -> Stepped:
    """Step what came in order, by event time; leave it where something came that was overtaken."""
    said = sorted((each for each in given if isinstance(each, Said)), key=lambda each: each.at)
    in_time = [each for each in said if each.at >= before.latest]
    late = said[: len(said) - len(in_time)]
    now: list[Input] = [each for each in given if not isinstance(each, Said)]
    after = step_device(device, rules, before, now if late else [*now, *in_time], facts, findings)
    return Stepped(device, rules, facts, before, after, in_time, late)


async def straighten(
    conn: AsyncConnection, stepped: Sequence[Stepped], findings: list[Finding], now: datetime
) -> list[AlarmChange]:
    """Keep what came in order, and put what was overtaken where it belongs.

    Of devices that are locked, before their new memory is stored. What the rules find by it joins `findings`;
    gives the changes of alarms that are stored already.
    """
    speaking = [each for each in stepped if each.late or each.in_time]
    if not speaking:
        return []
    await hearings.begin(conn, [each.device.key for each in speaking], now)
    kept = await hearings.kept(conn, [each.device.key for each in speaking if each.late])
    keep: list[tuple[Key, Said]] = []
    changes: list[AlarmChange] = []
    for each in speaking:
        key = each.device.key
        if each.late:
            news = _news(kept[key], each.late)
            keep += [(key, said) for said in news]
            if news:
                changes += await _rewind(conn, each, kept[key], news, findings, now)
            each.after = step_device(each.device, each.rules, each.after, each.in_time, each.facts, findings)
        keep += [(key, said) for said in each.in_time]
    if keep:
        await hearings.keep(conn, keep)
    await _forget(conn, speaking, now)
    return changes


def _news(kept: Kept, late: Sequence[Said]) -> list[Said]:
    """What is neither a repeat nor older than all that is kept."""
    seen = {_identity(said) for said in kept.log}
    news = []
    for said in late:
        if said.at > kept.base.latest and _identity(said) not in seen:
            seen.add(_identity(said))
            news.append(said)
    return news


async def _rewind(
    conn: AsyncConnection,
    stepped: Stepped,
    kept: Kept,
    late: Sequence[Said],
    findings: list[Finding],
    now: datetime,
) -> list[AlarmChange]:
    device = stepped.device
    rewound = rewind(stepped.rules, stepped.after, kept.base, kept.log, late, stepped.facts, to_moment(now))
    stepped.after = rewound.state
    findings += [Finding(device.key, device.asset_id or 0, effect, wall) for effect, wall in rewound.effects]
    changes: list[AlarmChange] = []
    for correction in sorted(rewound.corrections, key=_live_last):
        changes += await _correct(conn, device, correction, now)
    return changes


async def _forget(conn: AsyncConnection, stepped: Sequence[Stepped], now: datetime) -> None:
    """Keep no more than is needed: what is long known becomes the base of the rest."""
    old = set(await hearings.old(conn, [each.device.key for each in stepped], now - 2 * KEPT))
    if not old:
        return
    kept = await hearings.kept(conn, sorted(old))
    known_by = to_moment(now) - span(KEPT)
    for each in stepped:
        if each.device.key not in old:
            continue
        base, log = kept[each.device.key].base, kept[each.device.key].log
        settled = 0
        while settled < len(log) and log[settled].received < known_by:
            settled += 1
        upto = log[settled - 1].at if settled else base.latest
        whole = [said for said in log if said.at <= upto]
        folded = replay(without_presence(each.rules), base, whole, each.facts, None).state
        await hearings.fold(conn, each.device.key, encode_state(folded), upto, now)


def _identity(said: Said) -> tuple[int, tuple[object, ...], tuple[object, ...]]:
    return said.at, tuple(sorted(said.values.items())), tuple(sorted(said.events.items()))


def _live_last(correction: Correction) -> bool:
    """What ends goes first: then whatever lives on finds its place free."""
    return correction.now is not None and correction.now.cleared is None


async def _correct(
    conn: AsyncConnection, device: Device, correction: Correction, now: datetime
) -> list[AlarmChange]:
    row = await hearings.alarm_raised(conn, device.device_id, correction.rule.code, correction.was)
    if row is None:
        return []
    true = correction.now
    raised = row.raised_at if true is None else from_moment(true.raised)
    cleared = raised if true is None else None if true.cleared is None else from_moment(true.cleared)
    told = true is not None and true.told
    facts = {WITHDRAWN: True} if true is None else true.flapped
    await hearings.correct_alarm(
        conn, row.id, raised=raised, cleared=cleared, told=told, facts=facts, now=now
    )
    change = AlarmChange(
        kind="raised",
        alarm_id=row.id,
        community_id=device.community_id,
        device_id=device.device_id,
        asset_id=device.asset_id or 0,
        rule=correction.rule,
        at=raised,
        page=told,
        facts=dict(row.facts),
        stepped_to=None if true is None else true.severity,
    )
    changes = []
    if told and (not row.paged or (row.cleared_at is not None and cleared is None)):
        changes.append(change)
    if true is not None and change.severity != row.severity:
        changes.append(await _step(conn, change, true, row))
    if cleared is not None and row.cleared_at is None:
        changes.append(_cleared(change, cleared, told=told or row.paged))
    return changes


async def _step(conn: AsyncConnection, change: AlarmChange, true: Told, row: hearings.Row) -> AlarmChange:
    """Make an alarm as severe as its ladder makes it in order; people hear of it if that is worse."""
    at = from_moment(max(true.stepped, true.raised))
    await store.step_alarms(conn, [SeverityStep(change.alarm_id, change.severity, at)])
    worse = SEVERITIES.index(change.severity) > SEVERITIES.index(row.severity)
    live = true.cleared is None
    return replace(change, kind="stepped", at=at, page=worse and live and true.told)


def _cleared(change: AlarmChange, at: datetime, *, told: bool) -> AlarmChange:
    return AlarmChange(
        kind="cleared",
        alarm_id=change.alarm_id,
        community_id=change.community_id,
        device_id=change.device_id,
        asset_id=change.asset_id,
        rule=change.rule,
        at=at,
        page=told,
        facts=change.facts,
    )

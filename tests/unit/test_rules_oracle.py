"""The engine against a reference that looks at the whole timeline at once."""

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.engine import Facts, Said
from rules.moments import SECOND
from rules.rule import Happens, Holds
from rules.scenario import START_MOMENT, Alarm, Rehearsal
from tests.unit.rule_parts import a_rule, a_set, when

HIGH, LOW = 80.0, 60.0


@dataclass(frozen=True)
class Timing:
    """A rule's `for` and `keep`, in seconds."""

    hold: int
    keep: int


_timings = st.builds(Timing, st.integers(0, 6), st.integers(0, 6))
_levels = st.sampled_from([10.0, 70.0, 90.0])  # below the band, within it, above it
_timelines = st.lists(st.tuples(st.integers(1, 5), _levels), min_size=1, max_size=25)


def reference(timeline: list[tuple[int, float]], timing: Timing, end: int) -> list[tuple[int, int | None]]:
    """Raised and cleared seconds, from the level as a function of time. A timer goes before a reading."""
    alarms: list[tuple[int, int | None]] = []
    since: int | None = None
    low_since: int | None = None
    live: int | None = None
    for (at, level), (until, _) in pairwise([*timeline, (end, 0.0)]):
        if live is None:
            since = (at if since is None else since) if level >= HIGH else None
            if since is not None and (since == at == since + timing.hold or since + timing.hold <= until):
                live, since, low_since = since + timing.hold, None, None
        else:
            low_since = (at if low_since is None else low_since) if level < LOW else None
            if low_since is not None and (timing.keep == 0 or low_since + timing.keep <= until):
                alarms.append((live, low_since + timing.keep))
                live = None
    return [*alarms, (live, None)] if live is not None else alarms


@given(_timelines, _timings)
@settings(max_examples=200)
def test_hold_hysteresis_and_keep_are_as_the_reference_says(
    gaps: list[tuple[int, float]], timing: Timing
) -> None:
    timeline: list[tuple[int, float]] = []
    at = 0
    for gap, level in gaps:
        at += gap
        timeline.append((at, level))
    end = at + 20
    site = rehearse(timing)
    for second, level in timeline:
        hear(site, second, level)
    site.sleep(START_MOMENT + end * SECOND)
    assert [(each.raised // SECOND, seconds(each.cleared)) for each in site.alarms] == reference(
        timeline, timing, end
    )


@given(_timelines, _timings, st.data())
def test_what_is_repeated_or_late_changes_nothing(
    gaps: list[tuple[int, float]], timing: Timing, data: st.DataObject
) -> None:
    plain, disturbed = rehearse(timing), rehearse(timing)
    at = 0
    for gap, level in gaps:
        at += gap
        for site in (plain, disturbed):
            hear(site, at, level)
        late = data.draw(st.lists(st.tuples(st.integers(0, at), _levels), max_size=3))
        for second, old in late:
            disturbed.take(Said(moment(second), moment(at), {"fill_percent": old}))
    for site in (plain, disturbed):
        site.sleep(moment(at + 20))
    assert disturbed.alarms == plain.alarms


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["fire_alarm", "tilt_alarm"])), max_size=25),
    st.integers(2, 4),
)
def test_counted_events_are_as_the_reference_says(gaps: list[tuple[int, str]], times: int) -> None:
    within, quiet = 12, 20
    rule = a_rule(
        Happens(frozenset({"fire_alarm", "tilt_alarm"}), times=times, within=within * SECOND),
        clear_after=quiet * SECOND,
    )
    site = Rehearsal(a_set(rule), Facts())
    live: int | None = None
    hits: list[int] = []
    expected: list[tuple[int, int | None]] = []
    at = 0
    seen: set[tuple[int, str]] = set()
    for gap, code in gaps:
        at += gap
        site.sleep(moment(at))
        site.take(Said(moment(at), moment(at), events={code: ""}))
        if live is not None and at >= hits[-1] + quiet:
            expected.append((live, hits[-1] + quiet))
            live, hits = None, []
        if (at, code) in seen:
            continue
        seen.add((at, code))
        hits.append(at)
        if live is None and sum(each > at - within for each in hits) >= times:
            live = at
    site.sleep(moment(at + 300))
    if live is not None:
        expected.append((live, hits[-1] + quiet))
    assert [(each.raised // SECOND, seconds(each.cleared)) for each in site.alarms] == expected


def rehearse(timing: Timing) -> Rehearsal:
    holds = Holds(when(f"fill_percent >= {HIGH}"), timing.hold * SECOND)
    rule = a_rule(holds, clear=f"fill_percent < {LOW}", keep=timing.keep * SECOND)
    return Rehearsal(a_set(rule), Facts())


def hear(site: Rehearsal, second: int, level: float) -> None:
    site.sleep(moment(second))
    site.take(Said(moment(second), moment(second), {"fill_percent": level}))


def moment(second: int) -> int:
    return START_MOMENT + second * SECOND


def seconds(span: int | None) -> int | None:
    return None if span is None else span // SECOND


def test_an_alarm_says_what_it_is() -> None:
    assert str(Alarm(90 * SECOND, "tried", 91 * SECOND)) == "tried: raised 1m30s, paged 1m31s, cleared never"

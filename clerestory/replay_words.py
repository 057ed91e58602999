"""A foresight as lines for a terminal. Pure."""

from collections.abc import Iterator

from dispatch.foresight import AlarmTime, Change, Foresight, OrdersLine
from dispatch.rehearsal.funnel import Funnel

_SIGNS = {"new": "+", "gone": "-", "different": "~"}
_HELD = {
    "mute": "muted",
    "inspection": "in inspection",
    "order": "with work already ordered",
    "parent": "under the parent's alarm",
    "alarm": "under another alarm",
    "emergency": "in an emergency",
}


def report_lines(found: Foresight, most: int | None) -> Iterator[str]:
    """What changed, rule by rule; the orders; then the changes themselves, at most so many."""
    rate = found.readings / found.seconds if found.seconds else 0.0
    yield (
        f"{found.start:%Y-%m-%d %H:%M}Z to {found.end:%Y-%m-%d %H:%M}Z, warming up from"
        f" {found.warm_from:%Y-%m-%d %H:%M}Z: {found.devices} devices, {found.readings:,} readings,"
        f" {found.events:,} events in {found.seconds:.1f} s ({rate:,.0f} readings/s,"
        f" {found.cpu_seconds:.1f} s of CPU)"
    )
    yield from _rules(found)
    yield from _orders(found)
    yield from _changes(found, most)
    yield from _unknown(found)


def _unknown(found: Foresight) -> Iterator[str]:
    """What the answer leaves open, rule by rule."""
    before = found.heard_before
    if before is None:
        return
    until = f"{before:%Y-%m-%d %H:%M}Z" if before < found.end else "the end"
    yield ""
    yield f"up to {until} it is not known what came late: all is taken as heard when it happened"
    if found.partly:
        yield f"up to {until} being offline is not known, only the rest: {', '.join(found.partly)}"
    if found.skipped:
        yield f"not replayed, because being offline is not known: {', '.join(found.skipped)}"


def _rules(found: Foresight) -> Iterator[str]:
    yield ""
    heads = ("today", "changed", "new", "gone", "different", "recorded", "given again")
    yield f"{'alarms by rule':28}" + "".join(f"{head:>12}" for head in heads)
    for line in found.rules:
        n = line.counts
        counts = (n.old, n.new, n.fresh, n.gone, n.different, n.recorded, n.reproduced)
        yield f"{line.rule:28}" + "".join(f"{count:>12}" for count in counts)
    if not found.rules:
        yield "none, neither by today's rules nor by the changed ones"


def _orders(found: Foresight) -> Iterator[str]:
    if not found.orders:
        return
    yield ""
    yield f"{'orders a week':44}{'today':>8}{'changed':>9}{'recorded':>10}  for"
    for line in found.orders:
        what = f"{line.kind} in {line.community}/{line.area.en}"
        yield f"{what:44}{line.old:>8.1f}{line.new:>9.1f}{line.recorded:>10.1f}  {_people(line)}"
    if found.is_short:
        begun = f"{found.history_from:%Y-%m-%d %H:%M}Z"
        yield f"there is no history before {begun}: a week is reckoned from there on"
    if not found.rehearsed:
        yield "counted as alarms ask for them, before holds and grouping: there are too many alarms for more"
        return
    yield ""
    yield "from alarms to orders, over all this time"
    yield f"today    {funnel_words(found.today)}"
    yield f"changed  {funnel_words(found.changed)}"
    supposed = found.today.supposed, found.changed.supposed
    if any(supposed):
        yield (
            f"orders nobody ever had ({supposed[0]} today, {supposed[1]} changed) are taken to last as such"
            " orders usually do"
        )


def funnel_words(funnel: Funnel) -> str:
    """From alarms to orders, in a line: what was held back, and what joined the order of another alarm."""
    said = f"{_many(funnel.alarms, 'alarm')} → {_many(funnel.orders, 'order')}"
    rest = []
    if funnel.kept:
        reasons = ", ".join(
            f"{funnel.held[each]} {words}" for each, words in _HELD.items() if each in funnel.held
        )
        rest.append(f"{funnel.kept} held ({reasons})")
    if funnel.joined:
        rest.append(f"{funnel.joined} joined")
    if funnel.waited:
        rest.append(f"{funnel.waited} told later")
    return f"{said}: {', '.join(rest)}" if rest else said


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _people(line: OrdersLine) -> str:
    if not line.people:
        return f"nobody holds {line.skill} there"
    return f"{line.skill}: {', '.join(line.people)}"


def _changes(found: Foresight, most: int | None) -> Iterator[str]:
    shown = found.changes[:most]
    if not shown:
        yield ""
        yield "no alarm would be new, gone or different"
        return
    yield ""
    yield "+ new, - gone, ~ different; times in UTC"
    for change in shown:
        yield _change(change)
    more = len(found.changes) - len(shown) + found.left_out
    if more:
        yield f"… and {more} more" + (f" ({found.left_out} of them only counted)" if found.left_out else "")


def _change(change: Change) -> str:
    where = f"{_SIGNS[change.kind]} {change.rule} {change.community}/{change.device}"
    sides = [_time(side) for side in (change.old, change.new) if side is not None]
    recorded = "not recorded" if change.recorded is None else f"recorded {_time(change.recorded)}"
    return f"{where}: {' → '.join(sides)}; {recorded}"


def _time(alarm: AlarmTime) -> str:
    raised = f"{'before ' if alarm.earlier else ''}{alarm.raised:%m-%d %H:%M:%S}"
    cleared = "still on" if alarm.cleared is None else f"{alarm.cleared:%m-%d %H:%M:%S}"
    untold = "" if alarm.paged else ", nobody told"
    return f"{alarm.severity} {raised}–{cleared}{untold}"

"""How far before the time looked at a replay begins, so that what already held is known. Pure."""

from collections.abc import Iterable
from datetime import timedelta

from config.profiles import load_profiles
from rules.book import RuleBook
from rules.measures import windows_of
from rules.moments import DAY, span
from rules.rule import Happens, Holds, Offline, Rule, Silent

SHORTEST = 2 * DAY
LONGEST = 31 * DAY


def warm_up(books: Iterable[RuleBook], classes: Iterable[str]) -> timedelta:
    """As long as the longest span that a rule of these classes counts over; from two days to a month."""
    wanted = set(classes)
    spans = [reach(rule) for book in books for rule in book.rules if rule.asset_class in wanted]
    return timedelta(microseconds=min(max([SHORTEST, *spans]), LONGEST))


def reach(rule: Rule) -> int:
    """The longest span that one rule counts over, in microseconds."""
    # A rate looks for the newest reading that is so old: it may be up to as old again.
    spans = [rule.keep, rule.clear_after or 0, *(2 * each.length for each in windows_of(rule.measures))]
    spans += [max(rung.after, rung.hold) + (rung.down_after or 0) for rung in rule.ladder]
    if rule.flapping is not None:
        spans.append(rule.flapping.within + rule.flapping.quiet)
    for trigger in rule.triggers:
        match trigger:
            case Holds() | Happens():
                spans += [trigger.within, trigger.hold if isinstance(trigger, Holds) else 0]
            case Offline():
                spans.append(trigger.hold)
            case Silent():
                spans.append(trigger.after or _longest_patience(rule.asset_class))
    return max(spans)


def _longest_patience(asset_class: str) -> int:
    """What `by_profile` means at most."""
    profiles = load_profiles()
    known = [profiles[name] for name in profiles.names]
    return max(
        (span(each.stale_after) for each in known if each.asset_class == asset_class and each.stale_after),
        default=0,
    )

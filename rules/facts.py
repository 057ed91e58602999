"""What the engine is told of a device beside what it says: rules, its asset's attributes, patience. Pure."""

from functools import cache
from typing import Any

from config.profiles import load_profiles
from gateway.signals import Device
from rules.book import RuleBook
from rules.engine import Facts
from rules.moments import span
from rules.ruleset import RuleSet


def rules_for(device: Device, book: RuleBook) -> RuleSet:
    """The rules that judge a device: those of its asset's class, none where it watches no asset."""
    # An alarm is about an asset: a device that watches none (a kiosk) is only remembered as heard.
    return book.for_class(device.asset_class if device.asset_id is not None else None)


def facts_of(device: Device, book: RuleBook) -> Facts:
    """What the rules of a device read beside its signals."""
    rules = rules_for(device, book)
    # Its attributes are one object for as long as the registry stands; with it in the memo it keeps its id.
    place = (id(device.attributes), id(rules), device.profile, device.timezone)
    memo = _memo.get(place)
    if memo is not None and memo[0] is device.attributes and memo[1] is rules:
        return memo[2]
    facts = Facts(rules.asset(device.attributes), _stale_after(device.profile), device.timezone)
    if len(_memo) >= MOST_REMEMBERED:
        _memo.clear()
    _memo[place] = (device.attributes, rules, facts)
    return facts


# Worked out at every message else.
_memo: dict[tuple[int, int, str, str], tuple[dict[str, Any], RuleSet, Facts]] = {}
MOST_REMEMBERED = 20_000


@cache
def _stale_after(profile: str) -> int | None:
    profiles = load_profiles()
    stale_after = profiles[profile].stale_after if profile in profiles else None
    return None if stale_after is None else span(stale_after)

"""What the engine is told of a device beside what it says: rules, its asset's attributes, patience. Pure."""

from functools import cache

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


def facts_of(device: Device, rules: RuleSet) -> Facts:
    """What the rules of a device read beside its signals."""
    return Facts(rules.asset(device.attributes), stale_after(device.profile), device.timezone)


@cache
def stale_after(profile: str) -> int | None:
    """For how long a device of a profile may say nothing, in microseconds; None where it may for ever."""
    profiles = load_profiles()
    longest = profiles[profile].stale_after if profile in profiles else None
    return None if longest is None else span(longest)

"""A rule alone gives the alarms it gives among others: a replay runs only changed rules a second time."""

import random

import pytest

from gateway.signals import Device
from rules.book import load_rulebook
from rules.engine import Facts, Said
from rules.hearing import inputs
from rules.moments import DAY, HOUR
from rules.replay.device import Alarm, DeviceReplay
from rules.replay.run import changed_rules
from rules.ruleset import RuleSet
from tests.integration.test_replay_live import a_life


def alarms_of(rules: RuleSet, device: Device, seed: int) -> list[Alarm]:
    replay = DeviceReplay(rules, Facts(rules.asset({}), 25 * HOUR, "Asia/Shanghai"))
    at = 0
    for heard in a_life(random.Random(seed), device):  # noqa: S311 - a life, not a secret
        for said in inputs(heard, rules):
            assert isinstance(said, Said)
            replay.take(said)
            at = said.at
    replay.sleep(at + 3 * DAY)
    return replay.alarms(0, at + 4 * DAY)


@pytest.mark.parametrize("asset_class", ["bin", "elevator"])
@pytest.mark.parametrize("seed", range(5))
def test_rules_of_a_class_do_not_look_at_each_other(asset_class: str, seed: int) -> None:
    rules = load_rulebook().for_class(asset_class)
    device = Device(1, 1, "home", "d", f"{asset_class}-native", 1, asset_class)
    together = alarms_of(rules, device, seed)
    alone = []
    for rule in rules.rules:
        alone += alarms_of(RuleSet.of(asset_class, [rule], rules.attributes, rules.signals), device, seed)
    key = lambda alarm: (alarm.rule, alarm.raised)  # noqa: E731 - a name would say no more
    assert sorted(together, key=key) == sorted(alone, key=key)
    assert together


def test_only_what_may_differ_is_run_again() -> None:
    rules = load_rulebook().for_class("bin")
    assert changed_rules(rules, rules).rules == ()
    assert changed_rules(RuleSet.empty(), rules).rules == rules.rules

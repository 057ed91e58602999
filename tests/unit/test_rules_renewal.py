"""What a device remembers of a rule whose logic has changed."""

import subprocess
import sys
from pathlib import Path

from rules.book import RuleBook, load_rulebook
from rules.effects import Cleared, Raised
from rules.engine import Facts, Said, Tick, next_due, step
from rules.moments import MINUTE
from rules.renewal import marked, marks_of, renewed
from rules.ruleset import RuleSet
from rules.state import DeviceState
from tests.unit.rule_parts import a_rule_file

FACTS = Facts()


def rules_of(folder: Path, logic: str) -> RuleSet:
    return load_rulebook([a_rule_file(folder, logic)]).for_class("bin")


def fill(minute: int, percent: float) -> Said:
    return Said(minute * MINUTE, minute * MINUTE, {"fill_percent": percent})


def stepped(rules: RuleSet, *given: Said | Tick, state: DeviceState | None = None) -> DeviceState:
    now = state or DeviceState()
    for each in given:
        now, _ = step(rules, now, each, FACTS)
    return marked(now, rules)


def test_a_condition_that_was_pending_is_not_counted_on(tmp_path: Path) -> None:
    old = rules_of(tmp_path, "when: fill_percent > 50.0\nfor: 5m\nclear: fill_percent < 20.0")
    new = rules_of(tmp_path, "when: fill_percent > 90.0\nfor: 5m\nclear: fill_percent < 20.0")
    state = stepped(old, fill(0, 70.0))
    assert next_due(old, state, FACTS) == 5 * MINUTE
    after = renewed(state, new)
    assert next_due(new, after, FACTS) is None
    assert after.signals == state.signals
    _, effects = step(new, after, Tick(5 * MINUTE), FACTS)
    assert effects == []


def test_a_live_alarm_stays_for_the_new_rule_to_end(tmp_path: Path) -> None:
    old = rules_of(tmp_path, "when: fill_percent > 50.0\nclear: fill_percent < 20.0")
    new = rules_of(tmp_path, "when: fill_percent > 90.0\nclear: fill_percent < 60.0")
    after = renewed(stepped(old, fill(0, 70.0)), new)
    assert after.rules["tried"].raised == 0
    after, effects = step(new, after, fill(1, 65.0), FACTS)
    assert effects == []
    after, effects = step(new, after, fill(2, 55.0), FACTS)
    assert [type(effect) for effect in effects] == [Cleared]
    _, effects = step(new, after, fill(3, 95.0), FACTS)
    assert [type(effect) for effect in effects] == [Raised]


def test_what_says_the_same_goes_on(tmp_path: Path) -> None:
    logic = "when: fill_percent > 50.0\nfor: 5m\nclear: fill_percent < 20.0"
    state = stepped(rules_of(tmp_path, logic), fill(0, 70.0))
    file = a_rule_file(tmp_path, logic)
    file.write_text(file.read_text("utf-8").replace("severity: minor", "severity: critical"), "utf-8")
    again = load_rulebook([file]).for_class("bin")
    assert renewed(state, again) is state
    assert marked(state, again) is state


def test_memories_without_marks_are_trusted(tmp_path: Path) -> None:
    """An earlier release kept none: an upgrade must not make anything pending begin anew."""
    rules = rules_of(tmp_path, "when: fill_percent > 50.0\nfor: 5m")
    state, _ = step(rules, DeviceState(), fill(0, 70.0), FACTS)
    assert renewed(state, rules) is state
    assert marked(state, rules).rules == state.rules


def test_a_default_that_a_condition_reads_is_logic(tmp_path: Path) -> None:
    def book(default: int) -> RuleBook:
        head = f"attributes:\n  full: {{type: number, default: {default}, label: {{zh: 满, en: Full}}}}\n"
        return load_rulebook([a_rule_file(tmp_path, "when: fill_percent > asset.full", head=head)])

    first, second = (marks_of(book(default).for_class("bin")) for default in (80, 85))
    assert first != second


def test_marks_are_the_same_in_every_process() -> None:
    code = (
        "from rules.book import load_rulebook; from rules.renewal import marks_of;"
        "print([sorted(marks_of(each).items()) for each in load_rulebook().sets.values()])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        ).stdout
        for seed in ("1", "2")
    }
    assert said == {str([sorted(marks_of(each).items()) for each in load_rulebook().sets.values()]) + "\n"}

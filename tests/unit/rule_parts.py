"""Rules made on the spot, for tests of the engine and of the checks."""

from pathlib import Path

from config.text import Text
from config.vocabulary import load_vocabulary
from rules.conditions import Condition, compile_condition
from rules.rule import Flapping, Rule, Rung, Trigger
from rules.ruleset import AttributeRule, RuleSet

WORDS = Text(zh="一", en="one")


def a_rule(
    *triggers: Trigger,
    code: str = "tried",
    clear: str | None = None,
    clear_on: frozenset[str] = frozenset(),
    clear_after: int | None = None,
    keep: int = 0,
    ladder: tuple[Rung, ...] = (),
    flapping: Flapping | None = None,
) -> Rule:
    """A rule of a bin, of which only the logic matters."""
    return Rule(
        code=code,
        asset_class="bin",
        severity="minor",
        title=WORDS,
        meaning=WORDS,
        todo=WORDS,
        safety=WORDS,
        triggers=triggers,
        clear=when(clear) if clear is not None else None,
        clear_on=clear_on,
        clear_after=clear_after,
        keep=keep,
        ladder=ladder,
        flapping=flapping,
    )


def when(source: str) -> Condition:
    return compile_condition(source)


def a_set(*rules: Rule, attributes: tuple[AttributeRule, ...] = ()) -> RuleSet:
    """Rules of bins as the engine takes them."""
    return RuleSet.of(
        "bin", rules, {each.name: each for each in attributes}, load_vocabulary().signals("bin")
    )


_TEXTS = """
    severity: minor
    title: { zh: 一, en: One }
    meaning: { zh: 一, en: One }
    todo: { zh: [一], en: [one] }
    safety: { zh: 一, en: one }
"""


def a_rule_file(folder: Path, logic: str, *, head: str = "", name: str = "rules.yaml") -> Path:
    """A rule file of bins with one rule `tried`, whose logic starts in line 3 (after the lines of `head`)."""
    file = folder / name
    lines = "\n".join(f"    {line}" for line in logic.strip("\n").splitlines())
    file.write_text(f"asset_class: bin\n{head}rules:\n  tried:\n{lines}{_TEXTS}", encoding="utf-8")
    return file

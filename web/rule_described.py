"""A rule in plain words, and what changes of one in words. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from config.text import Text
from config.vocabulary import load_vocabulary
from dispatch.policy import shipped_policy
from rules.book import RuleBook
from rules.wording.names import names_of
from rules.wording.parts import both, put, run
from rules.wording.rules import RuleWords, rule_words
from web.rule_work import WorkWords, work_words
from web.words import WORDS

Kind = Literal["new", "gone", "different"]


@dataclass(frozen=True, slots=True)
class Described:
    """One rule in plain words, and as it is written."""

    code: str
    title: Text
    meaning: Text
    todo: Text
    safety: Text
    severity: str
    logic: RuleWords
    work: WorkWords
    whole: str  # as it is written, without its texts


@dataclass(frozen=True, slots=True)
class PartChange:
    """What is said of one part of a rule, today and changed; nothing where there is no such part."""

    part: str
    today: tuple[Text, ...]
    changed: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule that is new, gone, or of which something else is said: `parts`, where it is different."""

    kind: Kind
    rule: Described
    parts: tuple[PartChange, ...] = ()


def described(book: RuleBook, code: str, whole: str = "") -> Described:
    """Put a rule of a book into words."""
    rule = book.rule(code)
    names = names_of(load_vocabulary(), rule.asset_class, book.attributes(rule.asset_class))
    return Described(
        code=rule.code,
        title=rule.title,
        meaning=rule.meaning,
        todo=rule.todo,
        safety=rule.safety,
        severity=rule.severity,
        logic=rule_words(rule, names),
        work=work_words(rule, shipped_policy(), lambda other: book.rule(other).title),
        whole=whole,
    )


def changes_between(today: Iterable[Described], changed: Iterable[Described]) -> tuple[RuleChange, ...]:
    """Return the rules of which something else is said, as the changed ones stand, then what is gone."""
    before = {rule.code: rule for rule in today}
    found: list[RuleChange] = []
    for rule in changed:
        present = before.pop(rule.code, None)
        if present is None:
            found.append(RuleChange("new", rule))
        elif parts := _parts(present, rule):
            found.append(RuleChange("different", rule, parts))
    return (*found, *(RuleChange("gone", rule) for rule in before.values()))


def _parts(today: Described, changed: Described) -> tuple[PartChange, ...]:
    before, after = _said(today), _said(changed)
    return tuple(
        PartChange(part, texts, after[part]) for part, texts in before.items() if texts != after[part]
    )


def _said(rule: Described) -> Mapping[str, tuple[Text, ...]]:
    """Return everything that is said of a rule, by part."""
    logic, work = rule.logic, rule.work
    order = work.order
    return {
        "title": (rule.title,),
        "meaning": (rule.meaning,),
        "todo": (rule.todo,),
        "safety": (rule.safety,),
        "severity": (_severity(rule.severity),),
        "raises": logic.raises,
        "not_while": _present(logic.not_while),
        "ends": (*logic.ends, *_present(logic.keep)),
        "becomes": tuple(
            run((_severity(step.severity), step.when), Text(zh="：", en=": ")) for step in logic.steps
        ),
        "asks": ()
        if order is None
        else (
            put(both("{kind} · {skill}"), kind=order.kind, skill=order.skill),
            *([order.goals] if order.goals.en else []),
            order.ending,
            *_present(order.sharing),
        ),
        "recorded": () if order is None else order.checklist,
        "held": (*work.held, *_present(work.through)),
        "flapping": _present(logic.flapping),
        "late": _present(logic.late),
    }


def _severity(key: str) -> Text:
    return WORDS["severity"][key]


def _present(text: Text | None) -> tuple[Text, ...]:
    return () if text is None else (text,)

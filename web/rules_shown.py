"""Rules as the pages show them: in plain words, and as they are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from config.text import Text
from config.vocabulary import load_vocabulary
from dispatch.policy import shipped_policy
from rules.book import RuleBook
from rules.editing import codes_of, open_rule
from rules.sources import class_of
from rules.versions.force import InForce
from rules.versions.store import Version
from rules.wording.names import names_of
from rules.wording.rules import RuleWords, rule_words
from web.errors import Refusal
from web.rule_work import WorkWords, work_words


@dataclass(frozen=True, slots=True)
class Described:
    """One rule in plain words, and as it is written."""

    code: str
    title: Text
    meaning: Text
    severity: str
    logic: RuleWords
    work: WorkWords
    whole: str  # as it is written, without its texts


@dataclass(frozen=True, slots=True)
class Shown:
    """One rule file as it stands."""

    file: str
    asset_class: str
    rules: tuple[Described, ...]
    version: Version | None
    outdated: bool


def shown_file(known: InForce, file: str) -> Shown:
    """Return a file as shown, or answer that there is none."""
    source = known.source(file)
    if source is None:
        raise Refusal(404)
    asset_class, written = class_of(source) or "", _written(source.text)
    return Shown(
        file,
        asset_class,
        tuple(described(known.book, code, whole) for code, whole in written.items()),
        known.newest.get(file),
        known.outdated(file) is not None,
    )


@lru_cache(maxsize=64)
def _written(text: str) -> Mapping[str, str]:
    """Return each rule of a file as it is written; taking one out of its file takes some time."""
    opened = {code: open_rule(text, code) for code in codes_of(text)}
    return {code: "" if each is None else each.fields.logic for code, each in opened.items()}


def described(book: RuleBook, code: str, whole: str = "") -> Described:
    """Put a rule of a book into words."""
    rule = book.rule(code)
    names = names_of(load_vocabulary(), rule.asset_class, book.attributes(rule.asset_class))
    work = work_words(rule, shipped_policy(), lambda other: book.rule(other).title)
    return Described(rule.code, rule.title, rule.meaning, rule.severity, rule_words(rule, names), work, whole)

"""Rules as the pages show them: in plain words, and as they are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from rules.book import RuleBook, load_sources
from rules.document import RuleFileError
from rules.editing import codes_of, open_rule
from rules.sources import Source, class_of, put_in
from rules.versions.force import InForce
from rules.versions.store import Version
from web.errors import Refusal
from web.rule_described import Described, RuleChange, changes_between, described


@dataclass(frozen=True, slots=True)
class Shown:
    """One rule file as it stands."""

    file: str
    asset_class: str
    rules: tuple[Described, ...]
    version: Version | None
    outdated: bool


def shown_file(known: InForce, file: str) -> Shown:
    """Return a file as shown, or answer that there is none. Not on the event loop: it takes a while."""
    source = known.source(file)
    if source is None:
        raise Refusal(404)
    return Shown(
        file,
        class_of(source) or "",
        tuple(described(known.book, code, whole) for code, whole in _written(source).items()),
        known.newest.get(file),
        known.outdated(file) is not None,
    )


@lru_cache(maxsize=64)
def _written(source: Source) -> Mapping[str, str]:
    """Return each rule of a file as it is written."""
    opened = {code: open_rule(source, code) for code in codes_of(source)}
    return {code: "" if each is None else each.fields.logic for code, each in opened.items()}


def differences(known: InForce, file: str, before: str, after: str) -> tuple[RuleChange, ...] | None:
    """Return what a file says after a change and did not say before; None where either cannot be read now.

    Not on the event loop: what is not in force has to be compiled.
    """
    try:
        books = [with_words(known, file, text) for text in (before, after)]
    except RuleFileError:
        return None
    codes = [codes_of(_source(known, file, text)) for text in (before, after)]
    today, changed = ([described(book, each) for each in of] for book, of in zip(books, codes, strict=True))
    return changes_between(today, changed)


def with_words(known: InForce, file: str, text: str) -> RuleBook:
    """Return the rules in force with other words of one file, or raise RuleFileError."""
    source = _source(known, file, text)
    return known.book if source in known.sources else load_sources(put_in(known.sources, source))


def _source(known: InForce, file: str, text: str) -> Source:
    present = known.source(file)
    return present if present is not None and present.text == text else Source(file, file, text)

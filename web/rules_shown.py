"""Rules as the pages show them: in plain words, and as they are written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from config.text import Text
from rules.book import RuleBook, load_sources
from rules.document import RuleFileError
from rules.editing import codes_of, open_rule
from rules.sources import Source, class_of, put_in
from rules.versions.force import InForce
from rules.versions.store import Version
from rules.wording.rules import usual_lateness
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
    late: Text = field(default_factory=usual_lateness)


def shown_file(known: InForce, file: str) -> Shown:
    """Return a file as shown, or answer that there is none."""
    source = known.source(file)
    if source is None:
        raise Refusal(404)
    return Shown(
        file,
        class_of(source) or "",
        tuple(described(known.book, code, whole) for code, whole in _written(source.text).items()),
        known.newest.get(file),
        known.outdated(file) is not None,
    )


@lru_cache(maxsize=64)
def _written(text: str) -> Mapping[str, str]:
    """Return each rule of a file as it is written; taking one out of its file takes some time."""
    opened = {code: open_rule(text, code) for code in codes_of(text)}
    return {code: "" if each is None else each.fields.logic for code, each in opened.items()}


def differences(known: InForce, file: str, before: str, after: str) -> tuple[RuleChange, ...] | None:
    """Return what a file says after a change and did not say before; None where either cannot be read now."""
    try:
        today, changed = _with(known, file, before), _with(known, file, after)
    except RuleFileError:
        return None
    return changes_between(
        (described(today, code) for code in codes_of(before)),
        (described(changed, code) for code in codes_of(after)),
    )


def _with(known: InForce, file: str, text: str) -> RuleBook:
    """Return the rules in force, with other words of one file."""
    present = known.source(file)
    if present is not None and present.text == text:
        return known.book
    return load_sources(put_in(known.sources, Source(file, file, text)))

"""From a rule file to compiled rules, finding every mistake on the way, each with its place."""

from dataclasses import dataclass, replace
from functools import lru_cache

from pydantic import ValidationError

from config.vocabulary import load_vocabulary
from rules.compile_ladder import compile_flapping
from rules.compile_rule import RuleCompiler
from rules.document import Document, Problem, RuleFileError, parse_document
from rules.ruleset import AttributeRule, RuleSet
from rules.schema import PARTS, AttributeSpec, RuleFile
from rules.scope import Scope, nearest
from rules.shape import misshapen
from rules.sheet import Sheet


@dataclass(frozen=True, slots=True)
class Compiled:
    """A rule file with its rules, and the problems that keep it from being used."""

    document: Document
    problems: tuple[Problem, ...]
    rules: RuleSet | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of its rules."""
        return () if self.rules is None else tuple(rule.code for rule in self.rules.rules)


# When one file is switched the whole book is compiled, and the others say what they said.
@lru_cache(maxsize=16)
def compile_text(text: str, name: str) -> Compiled:
    """Check and compile what a rule file says; never raises for what it says."""
    try:
        document = parse_document(text, name)
    except RuleFileError as error:
        return Compiled(Document(name), error.problems)
    return _compiled(document)


def _compiled(document: Document) -> Compiled:
    try:
        file = RuleFile.model_validate(document.content)
    except ValidationError as error:
        return Compiled(document, (*document.problems, *misshapen(document, error, PARTS)))
    sheet = Sheet(document, list(document.problems))
    rules = _FileCompiler(sheet, file).rules()
    return Compiled(document, tuple(sheet.problems), rules)


@dataclass(slots=True)
class _FileCompiler:
    """Compiles the rules of one well-shaped file."""

    sheet: Sheet
    file: RuleFile

    def rules(self) -> RuleSet | None:
        vocabulary = load_vocabulary()
        asset_class = self.file.asset_class
        if asset_class not in vocabulary.asset_classes:
            hint = nearest(asset_class, tuple(vocabulary.asset_classes))
            self.sheet.note(("asset_class",), f"{asset_class!r} is not an asset class{hint}")
            return None
        attributes = {name: self._attribute(name, spec) for name, spec in self.file.attributes.items()}
        events = tuple(vocabulary.events_on(asset_class))
        scope = Scope(asset_class, vocabulary.signals(asset_class), attributes, events=events)
        unless = self.sheet.unless(("unless",), self.file.unless, scope) if self.file.unless else None
        flapping = compile_flapping(self.file.flapping, None)
        rules = [
            RuleCompiler(self.sheet, ("rules", code), scope, unless, flapping).rule(code, spec)
            for code, spec in self.file.rules.items()
        ]
        return RuleSet.of(asset_class, rules, attributes, scope.signals)

    def _attribute(self, name: str, spec: AttributeSpec) -> AttributeRule:
        rule = AttributeRule(name, spec.type, spec.default, spec.minimum, spec.maximum, spec.label.text())
        problem = rule.problem(spec.default)
        if problem is None:
            return rule
        self.sheet.note(("attributes", name, "default"), problem)
        # What else is wrong is looked for with a default that can be reckoned with.
        stand_ins: dict[str, bool | float | str] = {
            "number": spec.minimum or spec.maximum or 0.0,
            "boolean": False,
            "text": "",
        }
        return replace(rule, default=stand_ins[spec.type])

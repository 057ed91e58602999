"""Whether the parts of a condition fit together: names that exist, and operators given what they work on.

CEL does not convert between types: `1 + speed_m_s` fails at run time because `1` is an integer and a signal
is a double, and `door_closed == 1` is simply false for ever. Both are found here, before a rule is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal as OneOf

from rules.expressions import Binary, Call, Choice, Listing, Literal, Name, Node, Span, Unary
from rules.measure_check import mistake_in
from rules.measures import FUNCTIONS
from rules.scope import Mistake, Scope, nearest

Kind = OneOf["double", "int", "bool", "string", "list", "null", "span", "unknown"]

_NUMBERS = frozenset({"double", "int"})
_WORDS = {
    "double": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "string": "a text",
    "list": "a list",
    "null": "null",
    "span": "a span of time",
    "unknown": "unknown",
}
_ATTRIBUTE_KINDS: Mapping[str, Kind] = {"number": "double", "boolean": "bool", "text": "string"}
_COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!=", "in"})
# What a function takes and gives; a method's subject is its first argument.
_FUNCTIONS: Mapping[str, tuple[tuple[Kind, ...], Kind]] = {
    "size": (("string",), "int"),
    "startsWith": (("string", "string"), "bool"),
    "endsWith": (("string", "string"), "bool"),
    "contains": (("string", "string"), "bool"),
    "double": (("int",), "double"),
}


@dataclass(frozen=True, slots=True)
class _Type:
    kind: Kind
    words: tuple[str, ...] = ()  # the only texts this can be, for an enumeration

    @property
    def is_number(self) -> bool:
        return self.kind in _NUMBERS


_UNKNOWN = _Type("unknown")
_BOOL = _Type("bool")


def check_types(tree: Node, scope: Scope) -> list[Mistake]:
    """Every mistake of a condition; it must be true or false as a whole."""
    checker = _Checker(scope)
    whole = checker.type_of(tree)
    if whole.kind not in {"bool", "unknown"}:
        checker.note(tree, f"a condition is true or false, this is {_WORDS[whole.kind]}")
    return checker.mistakes


@dataclass(slots=True)
class _Checker:
    scope: Scope
    mistakes: list[Mistake] = field(default_factory=list)

    def note(self, node: Node, message: str) -> _Type:
        self.mistakes.append(Mistake(node.offset, message))
        return _UNKNOWN

    def type_of(self, node: Node) -> _Type:
        match node:
            case Literal(value=value):
                found = _literal(value)
            case Span():
                found = _Type("span")
            case Name():
                found = self._name(node)
            case Unary():
                found = self._unary(node)
            case Binary():
                found = self._binary(node)
            case Choice():
                found = self._choice(node)
            case Listing(items=items):
                kinds = [self.type_of(item) for item in items]
                found = _Type("list", tuple(word for kind in kinds for word in kind.words))
            case Call():
                found = self._call(node)
        return found

    def _choice(self, node: Choice) -> _Type:
        self._wants(node.condition, "bool", "before '?'")
        first, second = self.type_of(node.then), self.type_of(node.otherwise)
        if "unknown" not in (first.kind, second.kind) and first.kind != second.kind:
            message = f"{_WORDS[first.kind]} or {_WORDS[second.kind]}: both sides of ':' must fit"
            self.note(node.otherwise, message)
        return first

    def _name(self, node: Name) -> _Type:
        if node.name in {"event.code", "event.detail"}:
            if self.scope.event:
                return _Type("string")
            return self.note(node, f"{node.name} exists only in the condition of an `on` trigger")
        first, dot, rest = node.name.partition(".")
        return self._attribute(node, rest) if dot and first == "asset" else self._signal(node)

    def _attribute(self, node: Name, name: str) -> _Type:
        attribute = self.scope.attributes.get(name)
        if attribute is None:
            hint = nearest(name, tuple(self.scope.attributes))
            return self.note(node, f"attribute {name!r} is not declared under `attributes`{hint}")
        return _Type(_ATTRIBUTE_KINDS[attribute.type])

    def _signal(self, node: Name) -> _Type:
        signal = self.scope.signals.get(node.name)
        if signal is None:
            hint = nearest(node.name, tuple(self.scope.signals))
            return self.note(node, f"{node.name!r} is not a signal of {self.scope.asset_class}{hint}")
        if signal.type == "enum":
            return _Type("string", signal.values)
        return _Type("double" if signal.type == "number" else "bool")

    def _unary(self, node: Unary) -> _Type:
        if node.operator == "!":
            self._wants(node.operand, "bool", "after '!'")
            return _BOOL
        kind = self.type_of(node.operand)
        if kind.kind != "unknown" and not kind.is_number:
            return self.note(node.operand, f"'-' needs a number, this is {_WORDS[kind.kind]}")
        return kind

    def _wants(self, node: Node, kind: Kind, where: str) -> None:
        found = self.type_of(node)
        if found.kind not in {kind, "unknown"}:
            self.note(node, f"{_WORDS[kind]} is needed {where}, this is {_WORDS[found.kind]}")

    def _binary(self, node: Binary) -> _Type:
        if node.operator in {"&&", "||"}:
            self._wants(node.left, "bool", f"before {node.operator!r}")
            self._wants(node.right, "bool", f"after {node.operator!r}")
            return _BOOL
        left, right = self.type_of(node.left), self.type_of(node.right)
        known = "unknown" not in (left.kind, right.kind)
        if node.operator in _COMPARISONS:
            return self._comparison(node, left, right) if known else _BOOL
        return self._arithmetic(node, left, right) if known else _UNKNOWN

    def _arithmetic(self, node: Binary, left: _Type, right: _Type) -> _Type:
        if node.operator == "%" and "double" in (left.kind, right.kind):
            return self.note(node, "'%' needs whole numbers, and signals are decimal ones")
        if left.kind == right.kind and left.is_number:
            return left
        if left.is_number and right.is_number:
            return self.note(node, "a whole number and a decimal one do not mix: write 10.0 for 10")
        kinds = f"{_WORDS[left.kind]} and {_WORDS[right.kind]}"
        return self.note(node, f"{node.operator!r} needs two numbers, not {kinds}")

    def _comparison(self, node: Binary, left: _Type, right: _Type) -> _Type:
        if node.operator == "in":
            if right.kind != "list":
                return self.note(node.right, f"'in' needs a list, this is {_WORDS[right.kind]}")
            self._known_words(node.left, left, node.right)
        elif left.kind != right.kind and not (left.is_number and right.is_number):
            self.note(node, f"{_WORDS[left.kind]} is compared with {_WORDS[right.kind]}")
        elif node.operator in {"<", "<=", ">", ">="} and not (left.is_number or left.kind == "span"):
            self.note(node, f"{node.operator!r} needs numbers, this is {_WORDS[left.kind]}")
        else:
            self._known_words(node.left, left, node.right)
            self._known_words(node.right, right, node.left)
        return _BOOL

    def _known_words(self, subject: Node, kind: _Type, other: Node) -> None:
        if not kind.words or not isinstance(subject, Name):
            return
        for literal in (other, *(other.items if isinstance(other, Listing) else ())):
            if isinstance(literal, Literal) and literal.value not in kind.words:
                hint = nearest(str(literal.value), kind.words)
                self.note(literal, f"{subject.name} is never {literal.value!r}{hint}")

    def _call(self, node: Call) -> _Type:
        if node.function in FUNCTIONS:
            mistake = mistake_in(node, self.scope)
            if mistake is not None:
                return self.note(*mistake)
            return _Type("span" if node.function == "since" else "double")
        known = _FUNCTIONS.get(node.function)
        if known is None:
            hint = nearest(node.function, (*_FUNCTIONS, *sorted(FUNCTIONS)))
            return self.note(node, f"{node.function!r} is not a function here{hint}")
        wanted, gives = known
        if len(node.arguments) != len(wanted):
            return self.note(
                node, f"{node.function!r} takes {len(wanted)} value(s), not {len(node.arguments)}"
            )
        for argument, kind in zip(node.arguments, wanted, strict=True):
            self._wants(argument, kind, f"by {node.function!r}")
        return _Type(gives)


def _literal(value: object) -> _Type:
    match value:
        case bool():
            return _BOOL
        case int():
            return _Type("int")
        case float():
            return _Type("double")
        case str():
            return _Type("string")
        case _:
            return _Type("null")

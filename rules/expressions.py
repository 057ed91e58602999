"""The part of CEL that rules use, as a tree with positions.

The Common Expression Language evaluates conditions at run time (`rules.conditions`); this tree exists because
its library tells neither types nor positions. It knows literals, names, member access, calls, lists, `?:`,
`in` and all operators; maps, macros and message construction are refused here, so a rule cannot use them.
Beyond CEL it knows spans of time (`30m`, `1h30m`); `rules.measures` says where they may stand.
"""

import re
from dataclasses import dataclass, field
from datetime import timedelta

from config.duration import parse_duration

Scalar = bool | int | float | str | None


class ExpressionError(Exception):
    """A condition that cannot be taken; `offset` counts characters from its beginning."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message


@dataclass(frozen=True, slots=True)
class Literal:
    offset: int
    value: Scalar


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time as it is written in conditions; ends before the character at `end`."""

    offset: int
    length: timedelta
    end: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A signal, or `asset.x`, or `event.x`: written with its dots."""

    offset: int
    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    offset: int
    operator: str
    operand: "Node"


@dataclass(frozen=True, slots=True)
class Binary:
    offset: int
    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Choice:
    offset: int
    condition: "Node"
    then: "Node"
    otherwise: "Node"


@dataclass(frozen=True, slots=True)
class Listing:
    offset: int
    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function, or a method with its subject as the first argument."""

    offset: int
    function: str
    arguments: tuple["Node", ...]
    end: int = field(default=0, compare=False)


Node = Literal | Span | Name | Unary | Binary | Choice | Listing | Call

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<span>\d[0-9.]*[A-DF-Za-df-z_][A-Za-z0-9_]*)
      | (?P<number>(?:\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\d+))
      | (?P<string>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>&&|\|\||[<>=!]=|[-+*/%<>!?:.,()\[\]])
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"||"}),
    frozenset({"&&"}),
    frozenset({"<", "<=", ">", ">=", "==", "!=", "in"}),
    frozenset({"+", "-"}),
    frozenset({"*", "/", "%"}),
)
_CONSTANTS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_DEEPEST = 40
_LONGEST = 400  # words and signs; a chain of operators is as deep as it is long
_MOST_DIGITS = 18  # of a whole number, which CEL keeps in 64 bits


@dataclass(frozen=True, slots=True)
class _Token:
    offset: int
    kind: str
    text: str


def parse(source: str) -> Node:
    """Read one condition, or raise ExpressionError at the character that does not fit."""
    parser = _Parser(_tokens(source), len(source))
    node = parser.choice(0)
    parser.end()
    return node


def walk(node: Node) -> list[Node]:
    """The node and everything under it."""
    return [node, *(inner for each in children(node) for inner in walk(each))]


def children(node: Node) -> tuple[Node, ...]:
    """What stands directly under a node."""
    match node:
        case Unary(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Choice(condition=condition, then=then, otherwise=otherwise):
            return (condition, then, otherwise)
        case Listing(items=items):
            return items
        case Call(arguments=arguments):
            return arguments
        case _:
            return ()


def _tokens(source: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    end = len(source.rstrip())
    while position < end:
        match = _TOKEN.match(source, position)
        if match is None:
            offset = position + len(source[position:]) - len(source[position:].lstrip())
            raise ExpressionError(offset, f"{source[offset]!r} means nothing here")
        kind = str(match.lastgroup)
        if len(found) == _LONGEST:
            raise ExpressionError(match.start(kind), f"longer than {_LONGEST} words and signs")
        found.append(_Token(match.start(kind), kind, match[kind]))
        position = match.end()
    return found


class _Parser:
    """Recursive descent over the tokens; one method a level of precedence."""

    def __init__(self, tokens: list[_Token], length: int) -> None:
        self._tokens = tokens
        self._next = 0
        self._end = _Token(length, "end", "")

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else self._end

    @property
    def _behind(self) -> int:
        """The character behind the last token that was taken."""
        token = self._tokens[self._next - 1]
        return token.offset + len(token.text)

    def _take(self, *texts: str) -> _Token | None:
        token = self._token
        if token.kind in {"sign", "name"} and token.text in texts:
            self._next += 1
            return token
        return None

    def _expect(self, text: str) -> None:
        if self._take(text) is None:
            raise self._unexpected(f"{text!r}")

    def _unexpected(self, wanted: str) -> ExpressionError:
        token = self._token
        what = "the condition ends" if token.kind == "end" else f"{token.text!r} stands"
        return ExpressionError(token.offset, f"{what} where {wanted} was expected")

    def end(self) -> None:
        if self._token.kind != "end":
            raise self._unexpected("an operator or the end")

    def choice(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise ExpressionError(self._token.offset, f"nested more than {_DEEPEST} deep")
        node = self._binary(0, depth)
        question = self._take("?")
        if question is None:
            return node
        then = self._binary(0, depth)
        self._expect(":")
        return Choice(question.offset, node, then, self.choice(depth + 1))

    def _binary(self, level: int, depth: int) -> Node:
        if level == len(_LEVELS):
            return self._unary(depth)
        node = self._binary(level + 1, depth)
        while operator := self._take(*_LEVELS[level]):
            node = Binary(operator.offset, operator.text, node, self._binary(level + 1, depth))
        return node

    def _unary(self, depth: int) -> Node:
        if depth > _DEEPEST:
            raise ExpressionError(self._token.offset, f"nested more than {_DEEPEST} deep")
        operator = self._take("!", "-")
        if operator is None:
            return self._member(depth)
        return Unary(operator.offset, operator.text, self._unary(depth + 1))

    def _member(self, depth: int) -> Node:
        node = self._primary(depth)
        while self._take("."):
            token = self._token
            if token.kind != "name":
                raise self._unexpected("a name")
            self._next += 1
            if self._take("("):
                items = self._items(")", depth)
                node = Call(token.offset, token.text, (node, *items), self._behind)
            elif isinstance(node, Name) and "." not in node.name:
                node = Name(node.offset, f"{node.name}.{token.text}")
            else:
                raise ExpressionError(token.offset, f"{token.text!r} has nothing it could belong to")
        return node

    def _primary(self, depth: int) -> Node:
        token = self._token
        if self._take("("):
            node = self.choice(depth + 1)
            self._expect(")")
            return node
        if self._take("["):
            return Listing(token.offset, self._items("]", depth))
        if token.kind not in {"name", "number", "span", "string"}:
            raise self._unexpected("a value")
        self._next += 1
        if token.kind == "span":
            return _span(token)
        if token.kind != "name" or token.text in _CONSTANTS:
            return Literal(token.offset, _value(token))
        if self._take("("):
            items = self._items(")", depth)
            return Call(token.offset, token.text, items, self._behind)
        return Name(token.offset, token.text)

    def _items(self, closing: str, depth: int) -> tuple[Node, ...]:
        items: list[Node] = []
        if self._take(closing):
            return ()
        while True:
            items.append(self.choice(depth + 1))
            if self._take(closing):
                return tuple(items)
            self._expect(",")


def _span(token: _Token) -> Span:
    try:
        length = parse_duration(token.text)
    except (ValueError, OverflowError):
        message = f"{token.text!r} is neither a number nor a span like 90s, 5m, 36h or 1h30m"
        raise ExpressionError(token.offset, message) from None
    return Span(token.offset, length, token.offset + len(token.text))


def _value(token: _Token) -> Scalar:
    if token.kind == "name":
        return _CONSTANTS[token.text]
    if token.kind == "number":
        if not token.text.isdigit():
            return float(token.text)
        if len(token.text) > _MOST_DIGITS:
            raise ExpressionError(token.offset, f"a whole number has at most {_MOST_DIGITS} digits")
        return int(token.text)
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), token.text[1:-1])

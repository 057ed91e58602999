"""Everyday conditions as plain Python functions, several times quicker than building CEL's context.

Only for conditions whose types have been checked, and only for what means the same in both languages:
comparisons, logic, membership, `?:`, and addition, subtraction and multiplication of doubles. A name without
a value raises KeyError: the answer is unknown. As in CEL an unknown does not matter where the other side of
`&&` or `||` decides. A property test holds both to the same answers.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from rules.expressions import Binary, Call, Choice, Listing, Literal, Name, Node, Scalar, Span, Unary
from rules.measures import measure_of

Values = Mapping[str, bool | float | str]
Shortcut = Callable[[Values, Values], Any]

_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}


def shortcut(node: Node) -> Shortcut | None:
    """The function of latest values and attributes for a condition, or None where only CEL will do."""
    found: Shortcut | None = None
    match node:
        case Literal(value=value):
            found = _constant(value)
        case Span(length=length):
            found = _constant(length.total_seconds())
        case Name(name=name):
            found = _named(name)
        case Call():
            found = _measured(node)
        case Unary(operator=sign, operand=operand):
            found = _unary(sign, shortcut(operand))
        case Binary(operator="in", left=left, right=Listing(items=items)):
            found = _membership(left, items)
        case Binary():
            found = _binary(node)
        case Choice(condition=condition, then=then, otherwise=otherwise):
            found = _choice(shortcut(condition), shortcut(then), shortcut(otherwise))
    return found


def _constant(value: Scalar) -> Shortcut:
    return lambda _values, _asset: value


def _named(name: str) -> Shortcut | None:
    first, dot, rest = name.partition(".")
    if not dot:
        return lambda values, _asset: values[name]
    return (lambda _values, asset: asset[rest]) if first == "asset" else None


def _measured(node: Call) -> Shortcut | None:
    measure = measure_of(node)
    if measure is None:
        return None
    slot = measure.slot
    return lambda values, _asset: values[slot]


def _unary(sign: str, inner: Shortcut | None) -> Shortcut | None:
    if inner is None:
        return None
    if sign == "!":
        return lambda values, asset: not inner(values, asset)
    return lambda values, asset: -inner(values, asset)


def _membership(left: Node, items: tuple[Node, ...]) -> Shortcut | None:
    subject = shortcut(left)
    if subject is None or not all(isinstance(item, Literal) for item in items):
        return None
    known = tuple(item.value for item in items if isinstance(item, Literal))
    return lambda values, asset: subject(values, asset) in known


def _binary(node: Binary) -> Shortcut | None:
    left, right = shortcut(node.left), shortcut(node.right)
    if left is None or right is None:
        return None
    if node.operator in {"&&", "||"}:
        return _logic(left, right, decides=node.operator == "||")
    apply = _OPERATORS.get(node.operator)
    if apply is None:
        return None
    if isinstance(node.left, Name) and isinstance(node.right, Literal) and "." not in node.left.name:
        name, bound = node.left.name, node.right.value
        return lambda values, _asset: apply(values[name], bound)
    return lambda values, asset: apply(left(values, asset), right(values, asset))


def _logic(left: Shortcut, right: Shortcut, *, decides: bool) -> Shortcut:
    def either(values: Values, asset: Values) -> object:
        try:
            first = left(values, asset)
        except KeyError:
            if right(values, asset) is decides:
                return decides
            raise
        return decides if first is decides else bool(right(values, asset))

    return either


def _choice(condition: Shortcut | None, then: Shortcut | None, otherwise: Shortcut | None) -> Shortcut | None:
    if condition is None or then is None or otherwise is None:
        return None
    return lambda values, asset: then(values, asset) if condition(values, asset) else otherwise(values, asset)

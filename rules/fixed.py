"""Numbers in conditions that no signal enters: worked out once, by CEL's arithmetic. Pure.

What a rule's words say, where a chart draws its threshold and where a check cuts a signal's range are one
number only as long as one function works it out.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Final

from rules.expressions import Binary, Call, Literal, Name, Node, Unary

OPERATORS: Final = frozenset({"+", "-", "*", "/"})
_LONGEST: Final = 2**63  # CEL keeps whole numbers in 64 bits


def fixed_number(node: Node, attributes: Mapping[str, object]) -> float | None:
    """Work out a part of a condition from numbers and an asset's attributes (numbers by name) alone.

    None where anything else enters it, and where there is no such number: a division by zero, a result too
    large, or whole and decimal numbers mixed, which CEL does not. Whole numbers are divided without a rest.
    """
    number = _number(node, attributes)
    return None if number is None else float(number)


def _number(node: Node, attributes: Mapping[str, object]) -> int | float | None:
    match node:
        case Literal(value=int() | float() as literal) if not isinstance(literal, bool):
            return literal
        case Name(name=name) if name.startswith("asset."):
            return _decimal(attributes.get(name.removeprefix("asset.")))
        case Call(function="double", arguments=(inner,)):
            return _decimal(_number(inner, attributes))
        case Unary(operator="-", operand=operand):
            number = _number(operand, attributes)
            return None if number is None else -number
        case Binary(operator=sign, left=left, right=right) if sign in OPERATORS:
            return _calculate(sign, _number(left, attributes), _number(right, attributes))
        case _:
            return None


def _decimal(value: object) -> float | None:
    """An attribute or a whole number as what it is in arithmetic; None for what is no number there."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -_LONGEST <= value < _LONGEST or isinstance(value, float) else None


def _calculate(sign: str, first: float | None, second: float | None) -> int | float | None:
    if first is None or second is None or isinstance(first, int) is not isinstance(second, int):
        return None
    found: int | float
    match sign:
        case "+":
            found = first + second
        case "-":
            found = first - second
        case "*":
            found = first * second
        case _ if second == 0:
            return None
        case _ if isinstance(first, int) and isinstance(second, int):
            whole = abs(first) // abs(second)
            found = whole if (first < 0) is (second < 0) else -whole
        case _:
            found = first / second
    if isinstance(found, int):
        return found if -_LONGEST <= found < _LONGEST else None
    return found if isfinite(found) else None

"""Money: integer fen, rounded half-even once per line, split without losing a fen."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal

# Quantities have at most 14 digits and prices 14: a product never loses a digit before it is rounded.
_EXACT = Context(prec=40, rounding=ROUND_HALF_EVEN)


def to_fen(amount: Decimal) -> int:
    """Round an amount in fen to the whole fen, half to even."""
    return int(amount.quantize(Decimal(1), context=_EXACT))


def line_amount(quantity: Decimal, price_fen: Decimal) -> int:
    """`basis × quantity = amount`, rounded once."""
    return to_fen(_EXACT.multiply(quantity, price_fen))


def split(amount_fen: int, weights: Sequence[Decimal]) -> list[int]:
    """Split an amount by weight so that the parts sum to it exactly (largest remainder, earlier part first).

    No part is further than one fen from its exact share. A negative amount splits like its opposite.
    """
    if any(weight < 0 for weight in weights):
        raise ValueError(f"weights must not be negative, got {list(weights)}")
    whole = sum(weights, Decimal(0))
    if whole == 0:
        raise ValueError(f"at least one weight must be above 0, got {list(weights)}")
    if amount_fen < 0:
        return [-part for part in split(-amount_fen, weights)]
    shares = [divmod(_EXACT.multiply(Decimal(amount_fen), weight), whole) for weight in weights]
    parts = [int(quotient) for quotient, _ in shares]
    by_remainder = sorted(range(len(parts)), key=lambda at: (-shares[at][1], at))
    for at in by_remainder[: amount_fen - sum(parts)]:
        parts[at] += 1
    return parts


def yuan(fen: int) -> str:
    """Write an amount as people read it: ¥1,234.50."""
    sign = "-" if fen < 0 else ""
    return f"{sign}¥{abs(fen) // 100:,}.{abs(fen) % 100:02d}"

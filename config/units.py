"""Vendors' units in those of our signals: value × scale + offset. Pure."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Conversion(NamedTuple):
    """How a value in one unit is written in another."""

    scale: float
    offset: float = 0.0


SAME: Final = Conversion(1.0)
# To each unit of ours, from what vendors write. `ratio` is 0 to 1; `permille` 0 to 1000.
CONVERSIONS: Final[Mapping[str, Mapping[str, Conversion]]] = {
    "mm": {"cm": Conversion(10.0), "m": Conversion(1000.0), "in": Conversion(25.4), "ft": Conversion(304.8)},
    "%": {"ratio": Conversion(100.0), "permille": Conversion(0.1)},
    "°C": {
        "°F": Conversion(5 / 9, -160 / 9),
        "K": Conversion(1.0, -273.15),
        "d°C": Conversion(0.1),
        "c°C": Conversion(0.01),
    },
    "m/s": {
        "mm/s": Conversion(0.001),
        "cm/s": Conversion(0.01),
        "km/h": Conversion(1 / 3.6),
        "ft/min": Conversion(0.00508),
    },
    "h": {"s": Conversion(1 / 3600), "min": Conversion(1 / 60), "d": Conversion(24.0)},
    "°": {"rad": Conversion(57.29577951308232), "d°": Conversion(0.1), "c°": Conversion(0.01)},
    "rev": {"krev": Conversion(1000.0)},
}


def known_units(ours: str) -> tuple[str, ...]:
    """Every unit that can be written as one of ours, ours first."""
    return (ours or "1", *CONVERSIONS.get(ours, {}))


def conversion(unit: str, ours: str) -> Conversion | None:
    """How to write `unit` as `ours`; None where there is no way."""
    if unit == (ours or "1"):
        return SAME
    return CONVERSIONS.get(ours, {}).get(unit)

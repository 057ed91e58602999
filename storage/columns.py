"""Columns for `unnest(…)` in PostgreSQL's binary form, built in bulk.

Ten thousand readings go to the server with a batch. Adapting each value by itself costs the driver, and
parsing it as text costs the server, several times what storing it does. Use the placeholders as `%(name)b`.

A binary array is: dimensions, has-nulls, element type, length, lower bound; then each element's size and
bytes, or -1 for NULL. All big-endian. Source: PostgreSQL, `array_recv` in backend/utils/adt/arrayfuncs.c.
"""

import sys
from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import ClassVar

from psycopg import adapters
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format

_HEADER = Struct(">iiIii")
_NULL = b"\xff\xff\xff\xff"
_MOMENT = Struct(">iq")
_YES, _NO = b"\0\0\0\1\1", b"\0\0\0\1\0"

# PostgreSQL counts microseconds from here.
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SINCE_1970 = (_EPOCH - datetime(1970, 1, 1, tzinfo=UTC)) // _MICROSECOND


class Column:
    """One array of a statement, ready to be sent."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Smallints(Column):
    """`smallint[]`."""


class Integers(Column):
    """`int[]`."""


class Doubles(Column):
    """`double precision[]`."""


class Moments(Column):
    """`timestamptz[]`."""


class Texts(Column):
    """`text[]`."""


class Booleans(Column):
    """`boolean[]`."""


class _ColumnDumper(Dumper):
    format = Format.BINARY
    oids: ClassVar[dict[type[Column], tuple[int, int]]] = {
        Smallints: (1005, 21),
        Integers: (1007, 23),
        Doubles: (1022, 701),
        Moments: (1185, 1184),
        Texts: (1009, 25),
        Booleans: (1000, 16),
    }

    def __init__(self, cls: type[Column], context: AdaptContext | None = None) -> None:
        super().__init__(cls, context)
        self.oid = self.oids[cls][0]

    def dump(self, obj: Column) -> bytes:
        return obj.data


for _each in _ColumnDumper.oids:
    adapters.register_dumper(_each, _ColumnDumper)


def smallints(values: Iterable[int]) -> Smallints:
    """Numbers up to 32,767; raises OverflowError for a larger one."""
    return Smallints(_fixed(Smallints, array("h", values)))


def integers(values: Iterable[int]) -> Integers:
    """Numbers up to 2,147,483,647; raises OverflowError for a larger one."""
    return Integers(_fixed(Integers, array("i", values)))


def doubles(values: Iterable[float]) -> Doubles:
    """Numbers as they are."""
    return Doubles(_fixed(Doubles, array("d", values)))


def moments(values: Iterable[int]) -> Moments:
    """Moments in microseconds since 1970."""
    return Moments(_fixed(Moments, array("q", [value - _SINCE_1970 for value in values])))


def moments_or_null(values: Sequence[int | None]) -> Moments:
    """Moments in microseconds since 1970, or None for NULL."""
    elements = [_NULL if value is None else _MOMENT.pack(8, value - _SINCE_1970) for value in values]
    return Moments(_head(Moments, len(elements), nulls=True) + b"".join(elements))


def booleans_or_null(values: Sequence[bool | None]) -> Booleans:
    """Booleans, or None for NULL."""
    elements = [_NULL if value is None else _YES if value else _NO for value in values]
    return Booleans(_head(Booleans, len(elements), nulls=True) + b"".join(elements))


def texts(values: Sequence[bytes]) -> Texts:
    """Texts, encoded as UTF-8 and without NUL."""
    elements = [len(value).to_bytes(4, "big") + value for value in values]
    return Texts(_head(Texts, len(elements)) + b"".join(elements))


def microseconds(at: datetime) -> int:
    """Microseconds since 1970 of a zoned datetime, exactly."""
    return (at - _EPOCH) // _MICROSECOND + _SINCE_1970


class MomentLoader(Loader):
    """Reads `timestamptz` as microseconds since 1970: for a cursor whose moments only machines look at."""

    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        return int.from_bytes(data, "big", signed=True) + _SINCE_1970


def _head(kind: type[Column], count: int, *, nulls: bool = False) -> bytes:
    if not count:
        return _HEADER.pack(0, 0, _ColumnDumper.oids[kind][1], 0, 0)[:12]
    return _HEADER.pack(1, int(nulls), _ColumnDumper.oids[kind][1], count, 1)


def _fixed(kind: type[Column], values: "array[int] | array[float]") -> bytes:
    """All elements of one size: their bytes are laid out a place at a time, not an element at a time."""
    if sys.byteorder == "little":
        values.byteswap()
    raw, size, count = values.tobytes(), values.itemsize, len(values)
    stride = 4 + size
    laid = bytearray(size.to_bytes(4, "big") + bytes(size)) * count
    for place in range(size):
        laid[4 + place :: stride] = raw[place::size]
    return _head(kind, count) + bytes(laid)

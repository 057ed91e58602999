"""Columns in PostgreSQL's binary form, read back by the driver's own loaders."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import Format

from storage import columns
from storage.columns import Column

ZONED = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - given apart
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def loaded(column: Column) -> list[Any]:
    """What the driver reads out of a column that is sent by it."""
    dumper = Transformer().get_dumper(column, PyFormat.BINARY)
    data = dumper.dump(column)
    assert data is not None
    found = Transformer().get_loader(dumper.oid, Format.BINARY).load(data)
    assert isinstance(found, list)
    return found


@given(st.lists(st.integers(-(2**15), 2**15 - 1)))
def test_smallints(values: list[int]) -> None:
    assert loaded(columns.smallints(values)) == values


@given(st.lists(st.integers(-(2**31), 2**31 - 1)))
def test_integers(values: list[int]) -> None:
    assert loaded(columns.integers(values)) == values


@given(st.lists(st.floats(allow_nan=False)))
def test_doubles(values: list[float]) -> None:
    assert loaded(columns.doubles(values)) == values


@given(st.lists(ZONED))
def test_moments(values: list[datetime]) -> None:
    assert loaded(columns.moments([columns.microseconds(each) for each in values])) == values


@given(st.lists(st.none() | ZONED))
def test_moments_or_null(values: list[datetime | None]) -> None:
    given_ = [None if each is None else columns.microseconds(each) for each in values]
    assert loaded(columns.moments_or_null(given_)) == values


@given(st.lists(st.none() | st.booleans()))
def test_booleans_or_null(values: list[bool | None]) -> None:
    assert loaded(columns.booleans_or_null(values)) == values


@given(st.lists(TEXT))
def test_texts(values: list[str]) -> None:
    assert loaded(columns.texts([each.encode() for each in values])) == values


def test_a_number_that_does_not_fit_is_not_cut() -> None:
    with pytest.raises(OverflowError):
        columns.smallints([2**15])
    with pytest.raises(OverflowError):
        columns.integers([2**31])

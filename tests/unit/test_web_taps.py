"""What a form says about the tap beside its fields."""

import pytest

from web.taps import moment_of


def test_the_phones_clock_is_taken_where_it_makes_sense() -> None:
    moment = moment_of("2026-11-23T06:59:58.000Z")
    assert moment is not None
    assert moment.isoformat() == "2026-11-23T06:59:58+00:00"


# The last two the database would keep, and nobody could read them back.
@pytest.mark.parametrize(
    "written",
    ["", "noon", "2026-11-23T06:59:58", "0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-12:00"],
)
def test_a_clock_that_makes_no_sense_simply_does_not_say(written: str) -> None:
    assert moment_of(written) is None

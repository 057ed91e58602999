"""Recordings become what sensors would have said; every reading of it can be worked out by hand."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clerestory.simulate.bins import Collection, bins_timeline, read_collections
from clerestory.simulate.elevator import Sample, elevator_timeline, read_samples
from clerestory.simulate.play import compressed
from clerestory.simulate.timeline import RecordingUnreadable, Report, payload
from clerestory.simulate.uplinks import read_uplinks

NOON = datetime(2016, 6, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def visit(site: str, hours: float, fill: float) -> Collection:
    return Collection(site, f"bin {site}", NOON + HOUR * hours, fill)


def fills(reports: list[Report]) -> list[tuple[datetime, object]]:
    return [(report.ts, report.readings["fill_percent"]) for report in reports]


def test_a_bin_fills_in_a_straight_line_and_is_empty_afterwards() -> None:
    reports = list(bins_timeline([visit("a", 0, 60), visit("a", 4, 80)], step=HOUR))
    assert fills(reports) == [
        (NOON, 60),
        (NOON + MINUTE, 0),
        (NOON + HOUR, 20),
        (NOON + 2 * HOUR, 40),
        (NOON + 3 * HOUR, 60),
        (NOON + 4 * HOUR, 80),
        (NOON + 4 * HOUR + MINUTE, 0),
    ]


def test_a_visit_written_down_twice_counts_once() -> None:
    twice = [visit("a", 0, 60), Collection("a", "bin a", NOON + timedelta(seconds=40), 60)]
    assert fills(list(bins_timeline(twice))) == [(NOON, 60), (NOON + MINUTE, 0)]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.floats(0, 72, allow_nan=False), st.floats(0, 100, allow_nan=False)
        ),
        max_size=12,
    )
)
def test_a_timeline_is_in_order_and_says_nothing_twice(visits: list[tuple[str, float, float]]) -> None:
    reports = list(bins_timeline([visit(*each) for each in visits], step=HOUR))
    assert all(before.key < after.key for before, after in pairwise(reports))
    assert all(0 <= float(report.readings["fill_percent"]) <= 100 for report in reports)


def test_a_day_is_cut_out_of_a_timeline() -> None:
    whole = [visit("a", 0, 60), visit("a", 48, 80)]
    day = list(bins_timeline(whole, first=NOON + 2 * HOUR, last=NOON + 4 * HOUR, step=HOUR))
    assert [report.ts for report in day] == [NOON + 2 * HOUR, NOON + 3 * HOUR]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,x,2016-06-03,43", None),
        ("1,x,yesterday,43", "2: collected_at: 'yesterday' should be like"),
        ("1,x,2016-06-03 13:00:00,120", "2: fill_before_pct: '120' should be a number from 0 to 100"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, said: str | None) -> None:
    file = tmp_path / "bins.csv"
    file.write_text(f"site_id,site_name,collected_at,fill_before_pct\n{row}\n", encoding="utf-8")
    if said is None:
        assert len(read_collections(file)) == 1
        return
    with pytest.raises(RecordingUnreadable, match=f"bins.csv:{said}"):
        read_collections(file)


def test_what_a_spreadsheet_made_of_numbers_is_undone(tmp_path: Path) -> None:
    file = tmp_path / "door.csv"
    rows = ["18.009", "18. Jan", "18. Dez", "Dez 99", "Jun 93"]
    lines = "".join(f"93.7,73.9,{row}\n" for row in rows)
    file.write_text(f"ball_bearing_revolutions,humidity_percent,vibration_db\n{lines}", encoding="utf-8")
    assert [sample.vibration_db for sample in read_samples(file)] == [18.009, 18.01, 18.12, 12.99, 6.93]
    file.write_text("ball_bearing_revolutions,humidity_percent,vibration_db\n1,2,much\n", encoding="utf-8")
    with pytest.raises(RecordingUnreadable, match=r"door\.csv:2: vibration_db: 'much' should be a number"):
        read_samples(file)


def test_a_window_tells_its_highest_vibration_and_a_part_of_one_is_left_out() -> None:
    samples = [Sample(float(number), 50 + number, 10.0 + number % 4) for number in range(10)]
    reports = list(elevator_timeline(samples, "L1", NOON, timedelta(seconds=1)))
    assert [(report.ts, dict(report.readings)) for report in reports] == [
        (
            NOON + timedelta(seconds=1),
            {"door_vibration_db": 13, "humidity_percent": 51.5, "ball_bearing_revolutions": 3},
        ),
        (
            NOON + timedelta(seconds=2),
            {"door_vibration_db": 13, "humidity_percent": 55.5, "ball_bearing_revolutions": 7},
        ),
    ]


def test_time_is_compressed_from_the_first_report_on() -> None:
    reports = [Report(NOON, "a"), Report(NOON + HOUR, "a")]
    start = NOON + timedelta(days=1)
    assert [each.ts for each in compressed(reports, start, 60)] == [start, start + MINUTE]


def test_several_reports_are_one_backlog() -> None:
    one = Report(NOON, "a", {"fill_percent": 5}, ("cover_open",))
    assert payload(one) == (
        '{"v":1,"ts":"2016-06-25T12:00:00Z","readings":{"fill_percent":5},"events":[{"code":"cover_open"}]}'
    )
    assert payload(one, one) == f"[{payload(one)},{payload(one)}]"


def test_a_folder_without_uplinks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingUnreadable, match="holds no uplinks"):
        read_uplinks(tmp_path)
    (tmp_path / "x.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RecordingUnreadable, match="is no uplink of ChirpStack"):
        read_uplinks(tmp_path)

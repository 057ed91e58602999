"""Attributes of assets and devices are checked: what nothing reads and what cannot hold is named."""

from pathlib import Path

import pytest

from clerestory.community.load import check_community
from clerestory.community.mistakes import MistakesFound
from config.text import Text
from rules.book import RuleBook, load_rulebook
from rules.ruleset import AttributeRule
from tests.unit.rule_parts import a_set

COURT = """\
community: {code: court, name: {zh: 院, en: Court}, timezone: Asia/Shanghai}
areas: [{code: all, name: {zh: 全, en: All}}]
assets:
  - code: A1
    class: %s
    area: all
    name: {zh: 物, en: Thing}
    attributes: {%s}
    device: {code: A1-S, profile: %s, attributes: {%s}}
"""
RADIO = "milesight-em310-udl, dev_eui: 24E124713C400001"
DISTANCES = "empty_distance_mm: 1000, full_distance_mm: 100"
MISSING = "None: is missing: a distance becomes a fill level only between empty and full, in mm"
AT, ON_DEVICE = "assets[0].attributes", "assets[0].device.attributes"


def found(
    folder: Path,
    asset: str,
    profile: str,
    of_asset: str,
    of_device: str = "",
    *,
    book: RuleBook | None = None,
) -> list[str]:
    file = folder / "court.yaml"
    file.write_text(COURT % (asset, of_asset, profile, of_device), encoding="utf-8")
    try:
        check_community(file, book)
    except MistakesFound as mistakes:
        return [str(mistake).removeprefix(f"{folder}/court.yaml:") for mistake in mistakes.mistakes]
    return []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("rated_speed_m_s: 1.75, floors: 18, registration_code: '3110'", []),
        ("note_warranty: until 2028, note_keys: 3", []),
        ("rated_speed_m_s: 175", [f"8: {AT}.rated_speed_m_s: 175: should be a number from 0.25 to 20"]),
        ("rated_speed_m_s: fast", [f"8: {AT}.rated_speed_m_s: 'fast': should be a number from 0.25 to 20"]),
        ("floors: true", [f"8: {AT}.floors: True: should be a number from 2 to 200"]),
        (
            "registration_code: 3110",
            [f"8: {AT}.registration_code: 3110: should be text; write it in quotes"],
        ),
        ("note_depth: .nan", [f"8: {AT}.note_depth: nan: should be a finite number"]),
        (
            "note_since: 2020-01-01",
            [
                (
                    f"8: {AT}.note_since: datetime.date(2020, 1, 1): "
                    "should be text, a number, or true or false; write a day in quotes"
                )
            ],
        ),
        (
            "rated_sped_m_s: 1.75",
            [
                (
                    f"8: {AT}.rated_sped_m_s: 1.75: is no attribute of elevator; "
                    "did you mean 'rated_speed_m_s'? (what only people read is called note_…)"
                )
            ],
        ),
    ],
)
def test_an_elevator_says_what_is_known_in_its_range(tmp_path: Path, written: str, said: list[str]) -> None:
    assert found(tmp_path, "elevator", "elevator-native", written) == said


@pytest.mark.parametrize(
    ("profile", "of_asset", "of_device", "said"),
    [
        (RADIO, DISTANCES, "", []),
        (RADIO, DISTANCES, "empty_distance_mm: 2000, full_percent: 60", []),
        ("bin-native", "volume_l: 240", "", []),
        (
            "bin-native",
            "full_percent: 10",
            "",
            [f"8: {AT}.full_percent: 10: should be a number from 50 to 100"],
        ),
        (RADIO, "", "", [f"8: {AT}.{name}_distance_mm: {MISSING}" for name in ("empty", "full")]),
        ("bin-native", "", "full_distance_mm: 9", [f"8: {AT}.empty_distance_mm: {MISSING}"]),
        (
            RADIO,
            DISTANCES,
            "full_distance_mm: 1000",
            [
                (
                    f"9: {ON_DEVICE}.full_distance_mm: 1000: "
                    "should be below empty_distance_mm, here 1000: a fuller bin is nearer"
                )
            ],
        ),
        (
            RADIO,
            "empty_distance_mm: '1000', full_distance_mm: 100",
            "",
            [f"8: {AT}.empty_distance_mm: '1000': should be a number from 0 to 20000"],
        ),
    ],
)
def test_a_bin_says_between_what_distances_it_fills(
    tmp_path: Path, profile: str, of_asset: str, of_device: str, said: list[str]
) -> None:
    assert found(tmp_path, "bin", profile, of_asset, of_device) == said


def test_an_attribute_that_a_site_s_own_rules_declare_is_known(tmp_path: Path) -> None:
    heat = AttributeRule("heat", "number", 5, 1, 9, Text(zh="温", en="Heat"))
    book = RuleBook({**load_rulebook().sets, "elevator": a_set(attributes=(heat,))})
    assert "is no attribute of elevator" in found(tmp_path, "elevator", "elevator-native", "heat: 10")[0]
    assert found(tmp_path, "elevator", "elevator-native", "heat: 9", book=book) == []
    assert found(tmp_path, "elevator", "elevator-native", "heat: 10", book=book) == [
        f"8: {AT}.heat: 10: should be a number from 1 to 9"
    ]


def test_a_text_that_cannot_be_shown_is_no_value_of_an_attribute() -> None:
    rule = AttributeRule("way", "text", "up", None, None, Text(zh="方向", en="Way"))
    assert rule.problem("up\ndown") is None
    problem = rule.problem("up\x1b[31m")
    assert problem is not None
    assert "U+001B" in problem
    assert "\x1b" not in problem
    assert rule.of({"way": "up\x1b[31m"}) == "up"

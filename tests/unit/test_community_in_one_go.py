"""One mistake hides no other one, and brings no others with it."""

from pathlib import Path

import pytest

from clerestory.community.mend import mended
from clerestory.community.parse import SECTIONS, Draft
from clerestory.community.schema import AssetSpec
from tests.unit.test_community_mistakes import RIGHT, also, mistakes

FLOORS = "floors: {to: 2}"
WATER = """\
parties:
  - {code: a, name: 甲, occupancies: [{unit: B1-101, role: owner, from: 2020-01-01}]}
charge_items:
  - {code: water, name: {zh: 水, en: Water}, basis: metered, measure: m³, price_yuan: 2.9,
     contract: "§ 6", from: 2026-01-01}
meters: [{code: "W-{unit}", charge_item: water, buildings: [B1]}]
meter_readings: {2026-09: {W-B1-101: 12.5, W-B1-102: 1, W-B1-201: 7}}
parking_spaces: [{code: C1, unit: B1-101, from: 2020-01-01}]
plans:
  - {code: p, name: {zh: 保, en: Care}, kind: care, skill: elevator, asset_class: elevator,
     every_days: 15, at: "09:00", starts_on: 2026-01-05}
"""


def test_a_wrong_shape_hides_no_dangling_reference(tmp_path: Path) -> None:
    found = mistakes(tmp_path, RIGHT.replace("area: all, floors: {to: 2}", "area: nowhere, floors: {to: 0}"))
    assert found == [
        "court.yaml:4: buildings[0].floors.to: 0: `to` 0 is below `from` 1",
        "court.yaml:4: buildings[0].area: 'nowhere': is not among areas; known: all",
    ]


def test_a_wrong_basis_hides_no_wrong_sum(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        also(
            """\
            charge_items:
              - code: lift
                name: {zh: 梯, en: Lift}
                basis: aera
                price_yuan: 0.45
                contract: "§ 5"
                from: 2026-01-01
                to: 2025-01-01
                composition:
                  - {name: {zh: 人, en: Labour}, percent: 60}
                  - {name: {zh: 电, en: Power}, percent: 50}
            """
        ),
    )
    assert [each.split(": ")[1] for each in found] == [
        "charge_items[0].basis",
        "charge_items[0].to",
        "charge_items[0].composition",
    ]
    assert found[2].endswith("`composition` sums to 110 %; it should be 100 %")


def test_a_missing_name_hides_no_duplicate_code(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path, RIGHT.replace("en: All}}]", "en: All}}, {code: all, name: {zh: 全}}, {name: 5}]")
    )
    assert [each.split(": ", 1)[1] for each in found] == [
        "areas[1].name.en: None: is missing; give it here",
        "areas[2].code: None: is missing; give it here",
        "areas[2].name: 5: should be a mapping",
        f"areas[1].code: 'all': is already the code of areas[0] ({tmp_path}/court.yaml:2)",
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (FLOORS, "floors: {to: 0}", "buildings[0].floors.to"),
        (FLOORS, "floors: {to: two}", "buildings[0].floors.to"),
        (FLOORS, "floors: 2", "buildings[0].floors"),
        (FLOORS, "floor: {to: 2}", "buildings[0].floor"),
        ("code: B1,", "code: B 1,", "buildings[0].code"),
        ("buildings:", "bildings:", "bildings"),
        ("technicians:", "technicans:", "technicans"),
        ("assets:", "assest:", "assest"),
        ("skill: elevator}]", "skil: elevator}]", "technicians[0].skills[0]"),
        ("class: elevator", "class: elevatr", "assets[0].class"),
        ("class: elevator", "clas: elevator", "assets[0].cla"),
        ("meters:", "meter:", "meter"),
        ("buildings: [B1]", "buildings: [B2]", "meters[0].buildings[0]"),
        ("basis: metered", "basis: meterd", "charge_items[0].basis"),
        ("building: B1", "building: {}", "assets[0].building"),
        ("code: all,", "cod: all,", "areas[0].co"),
        ("areas: [{code: all, name: {zh: 全, en: All}}]", "include: absent.yaml", "include"),
    ],
)
def test_a_mistake_brings_no_others_with_it(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    text = RIGHT + WATER
    assert right in text
    found = mistakes(tmp_path, text.replace(right, wrong, 1))
    assert found
    assert all(each.split(": ")[1].startswith(said) for each in found)


def test_a_reference_that_nothing_excuses_is_still_reported(tmp_path: Path) -> None:
    text = (RIGHT + WATER).replace(FLOORS, "floors: {to: 0}").replace("W-B1-102", "X-B1-102")
    found = mistakes(tmp_path, text.replace("unit: B1-101, from", "unit: B7-101, from"))
    assert [each.split(": ")[1] for each in found] == [
        "buildings[0].floors.to",
        "meter_readings.2026-09.X-B1-102",
        "parking_spaces[0].unit",
    ]


def test_what_cannot_be_mended_at_all_is_no_entry() -> None:
    spec, errors, holes = mended(AssetSpec, "lift")
    assert (spec, len(errors), holes) == (None, 1, set())


def test_the_sections_are_those_of_a_draft() -> None:
    assert all(getattr(Draft(), section) == [] for section in SECTIONS)

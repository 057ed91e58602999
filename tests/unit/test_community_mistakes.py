"""A community file with mistakes: all are reported at once, where they stand and with what would be right."""

from pathlib import Path
from textwrap import dedent

import pytest

from clerestory.community.load import check_community
from clerestory.community.mistakes import MistakesFound

SAMPLE = Path(__file__).parents[2] / "config" / "communities" / "sample.yaml"
RIGHT = """\
community: {code: court, name: {zh: 院, en: Court}, timezone: Asia/Shanghai}
areas: [{code: all, name: {zh: 全, en: All}}]
buildings:
  - {code: B1, name: {zh: 一, en: One}, area: all, floors: {to: 2}, floor_areas: [80, 90.5]}
assets:
  - code: L1
    class: elevator
    building: B1
    name: {zh: 梯, en: Lift}
    device: {code: L1-S, profile: elevator-native}
technicians:
  - code: li
    name: 李
    skills: [{skill: elevator}]
    areas: [all]
    shifts: [{days: daily, from: "08:00", to: "20:00"}]
"""


def mistakes(folder: Path, text: str) -> list[str]:
    file = folder / "court.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(MistakesFound) as found:
        check_community(file)
    return [str(mistake).removeprefix(f"{folder}/") for mistake in found.value.mistakes]


def also(more: str) -> str:
    return RIGHT + dedent(more)


def test_the_sample_has_no_mistakes() -> None:
    assert check_community(SAMPLE).sections.counts() == {
        "areas": 3,
        "buildings": 6,
        "units": 360,
        "parties": 380,
        "occupancies": 388,
        "assets": 60,
        "devices": 54,
        "technicians": 10,
        "plans": 4,
        "charge_items": 8,
        "parking_spaces": 150,
        "meters": 360,
        "meter_readings": 1080,
    }


def test_a_floor_plan_gives_every_unit_its_code(tmp_path: Path) -> None:
    file = tmp_path / "court.yaml"
    file.write_text(RIGHT, encoding="utf-8")
    units = check_community(file).sections.rows["units"]
    assert [(unit["code"], unit["floor"], unit["floor_area"]) for unit in units] == [
        ("B1-101", 1, "80"),
        ("B1-102", 1, "90.5"),
        ("B1-201", 2, "80"),
        ("B1-202", 2, "90.5"),
    ]


def test_every_mistake_is_reported_at_once(tmp_path: Path) -> None:
    text = (
        RIGHT.replace("area: all,", "area: al,")
        .replace("profile: elevator-native", "profil: elevator-native")
        .replace("timezone: Asia/Shanghai", "timezone: Asia/Shangai")
        .replace('to: "20:00"', 'to: "25:00"')
    )
    assert mistakes(tmp_path, text) == [
        "court.yaml:1: community.timezone: 'Asia/Shangai': is no time zone; did you mean 'Asia/Shanghai'?",
        "court.yaml:4: buildings[0].area: 'al': is not among areas; did you mean 'all'?",
        "court.yaml:10: assets[0].device.profile: None: is missing; give it here",
        (
            "court.yaml:10: assets[0].device.profil: 'elevator-native': "
            "is not a key here; did you mean 'profile'?"
        ),
        """court.yaml:16: technicians[0].shifts[0].to: '25:00': should be a time in quotes, e.g. "08:00\"""",
    ]


def test_an_unknown_section_names_the_nearest(tmp_path: Path) -> None:
    assert mistakes(tmp_path, also("asets: []")) == [
        "court.yaml:17: asets: 'asets': is not a section; did you mean 'assets'?"
    ]


def test_a_kiosk_key_is_32_bytes(tmp_path: Path) -> None:
    kiosk = "kiosks: [{code: K1, name: {zh: 机, en: Kiosk}, public_key: %s}]"
    assert mistakes(tmp_path, also(kiosk % "aGVsbG8=")) == [
        (
            "court.yaml:17: kiosks[0].public_key: 'aGVsbG8=': should be an Ed25519 public key: "
            "32 bytes in base64; this is 5 bytes"
        )
    ]
    assert "32 bytes in base64, 44 characters" in mistakes(tmp_path, also(kiosk % "key!"))[0]


def test_shifts_of_a_person_do_not_overlap_not_even_around_the_week(tmp_path: Path) -> None:
    shifts = '[{days: sun, from: "22:00", to: "09:00"}, {days: mon, from: "08:00", to: "16:00"}]'
    text = RIGHT.replace('[{days: daily, from: "08:00", to: "20:00"}]', shifts)
    assert mistakes(tmp_path, text) == [
        (
            "court.yaml:16: technicians[0].shifts[1]: '08:00–16:00': overlaps shifts[0] on mon; "
            "a person works one shift at a time"
        )
    ]


def test_a_unit_has_one_owner_at_a_time(tmp_path: Path) -> None:
    text = also(
        """\
        parties:
          - {code: a, name: 甲, occupancies: [{unit: B1-101, role: owner, from: 2020-01-01, to: 2026-05-31}]}
          - {code: b, name: 乙, occupancies: [{unit: B1-101, role: owner, from: 2026-05-31}]}
          - {code: c, name: 丙, occupancies: [{unit: B1-109, role: tenant, from: 2026-05-31, to: 2025-01-01}]}
          - {code: d, name: 丁, occupancies: [{unit: B1-109, role: tenant, from: 2026-05-31}]}
        """
    )
    found = mistakes(tmp_path, text)
    assert len(found) == 4
    assert found[0].startswith("court.yaml:19: parties[1].occupancies[0]: 'B1-101': overlaps parties[0]")
    assert found[1].endswith("`to` 2025-01-01 is before `from` 2026-05-31")
    assert found[2].startswith("court.yaml:20: parties[2].occupancies[0].unit: 'B1-109': is no unit")
    assert found[3].startswith("court.yaml:21: parties[3].occupancies[0].unit: 'B1-109': is no unit")


def test_codes_are_given_once_and_parents_do_not_go_round(tmp_path: Path) -> None:
    text = also(
        """\
        kiosks:
          - {code: L1-S, name: {zh: 机, en: Kiosk}, public_key: jdAQD20dX2JoIhIqWbBpHZN7EGmz+5wwaKwOpwCuvpI=}
        """
    ).replace("    building: B1\n", "    building: B1\n    parent: L1\n")
    found = mistakes(tmp_path, text)
    assert found[0] == "court.yaml:9: assets[0].parent: 'L1': is below this asset itself; a parent is above"
    assert "kiosks[0].code: 'L1-S': is already the code of assets[0].device" in found[1]


def test_promises_and_prices_add_up(tmp_path: Path) -> None:
    text = also(
        """\
        charge_items:
          - code: lift
            name: {zh: 梯, en: Lift}
            basis: area
            price_yuan: 0.45
            contract: "§ 5"
            from: 2026-01-01
            standards:
              - {kind: dancing, asset_class: bin, times: 2, name: {zh: 舞, en: Dance}}
            composition:
              - {name: {zh: 人, en: Labour}, percent: 50}
              - {name: {zh: 电, en: Power}, percent: 49.5}
          - code: water
            name: {zh: 水, en: Water}
            basis: metered
            price_yuan: 2.9
            contract: "§ 6"
            from: 2026-01-01
        """
    )
    found = mistakes(tmp_path, text)
    assert len(found) == 4
    assert found[0].startswith(
        "court.yaml:25: charge_items[0].standards[0].asset_class: 'bin': is no class of any"
    )
    assert found[1].startswith(
        "court.yaml:25: charge_items[0].standards[0].kind: 'dancing': is no kind of work"
    )
    assert found[2].startswith("court.yaml:26: charge_items[0].composition: [")
    assert found[2].endswith("`composition` sums to 99.5 %; it should be 100 %")
    assert found[3] == (
        "court.yaml:29: charge_items[1].measure: None: a metered item needs its `measure`, e.g. m³ or kWh"
    )


def test_registers_only_go_up_and_belong_to_a_meter(tmp_path: Path) -> None:
    text = also(
        """\
        charge_items:
          - {code: water, name: {zh: 水, en: Water}, basis: metered, measure: m³, price_yuan: 2.9,
             contract: "§ 6", from: 2026-01-01}
        meters: [{code: "W-{unit}", charge_item: water, buildings: [B1]}]
        meter_readings:
          2026-09: {W-B1-101: 12.5, W-B1-1010: 1}
          2026-10: {W-B1-101: 12.4}
          2026-13: {}
        """
    )
    assert mistakes(tmp_path, text) == [
        "court.yaml:22: meter_readings.2026-09.W-B1-1010: 'W-B1-1010': is no meter; did you mean 'W-B1-101'?",
        (
            "court.yaml:23: meter_readings.2026-10.W-B1-101: '12.4': "
            "is below 12.5 of 2026-09; a register only goes up"
        ),
        "court.yaml:24: meter_readings.2026-13: '2026-13': should be a month, e.g. 2026-09",
    ]


def test_what_is_included_is_reported_where_it_stands(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent.yaml")
    (tmp_path / "people.yaml").write_text("parties:\n  - {code: a, nam: 甲}\n", encoding="utf-8")
    found = mistakes(tmp_path, also("include: [people.yaml, absent.yaml]\n"))
    assert found == [
        (
            f"court.yaml:1: include: {_shortened(repr(absent))}: cannot be read: "
            f"[Errno 2] No such file or directory: '{absent}'"
        ),
        "people.yaml:2: parties[0].name: None: is missing; give it here",
        "people.yaml:2: parties[0].nam: '甲': is not a key here; did you mean 'name'?",
    ]


def test_a_day_that_no_calendar_has_is_reported_where_it_stands(tmp_path: Path) -> None:
    stay = "{unit: B1-101, role: owner, from: 2026-02-30, to: 2026-13-01}"
    assert mistakes(tmp_path, also(f"parties: [{{code: a, name: 甲, occupancies: [{stay}]}}]")) == [
        "court.yaml:17: parties[0].occupancies[0].from: '2026-02-30': should be a date, e.g. 2026-10-01",
        "court.yaml:17: parties[0].occupancies[0].to: '2026-13-01': should be a date, e.g. 2026-10-01",
    ]


def test_a_placeholder_that_each_does_not_give_is_named(tmp_path: Path) -> None:
    text = RIGHT.replace("  - code: L1\n", '  - code: "L{m}"\n    each: [{n: 1}]\n')
    assert mistakes(tmp_path, text)[0] == "court.yaml:6: assets[0].code: 'L{m}': {m} is not in `each`: {n}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("zh: 梯", 'zh: "梯\\0"', "court.yaml:9: assets[0].name.zh: '梯\\x00': has the character U+0000"),
        ("en: Lift", 'en: "\\uD800"', "court.yaml:9: assets[0].name.en: '\\ud800': has the character U+D800"),
        (
            "name: 李",
            'name: "李\\v"',
            "court.yaml:13: technicians[0].name: '李\\x0b': has the character U+000B",
        ),
        (
            "{to: 2}",
            "{to: !!int foo}",
            "court.yaml:4: buildings[0].floors.to: 'foo': should be a whole number",
        ),
        (
            "{to: 2}",
            "{to: !!bool foo}",
            "court.yaml:4: buildings[0].floors.to: 'foo': should be a whole number",
        ),
        (
            "{to: 2}",
            "{to: 999999999}",
            "court.yaml:4: buildings[0].floors.to: 999999999: should be less than",
        ),
        ("[80, 90.5]", "[!!float foo]", "court.yaml:4: buildings[0].floor_areas[0]: 'foo': "),
        ("[80, 90.5]", f"[{'8' * 5_000}]", "court.yaml:4: buildings[0].floor_areas[0]: '888"),
        ("name: {zh: 梯, en: Lift}", "name: !!binary AAA=", "assets[0].name: 'AAA=': should be a mapping"),
        ("name: 李", "name: &x [*x]", "technicians[0].name: [None]: should be text"),
    ],
)
def test_a_value_that_cannot_be_is_reported_where_it_stands(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in RIGHT
    found = mistakes(tmp_path, RIGHT.replace(old, new))
    assert any(said in each for each in found), found
    assert len(found) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("community: [", "is not valid YAML"),
        ("- a\n- b\n", "should be a mapping of sections"),
        ("areas: []\nareas: []\n", "is not valid YAML"),
        ("areas: {}\n", "should be a list"),
        ("areas: [{[1, {}]: 1}]\n", "a key is itself a mapping or a list"),
        ("[" * 1_500, "is not valid YAML"),
        ("areas: !!python/object/apply:os.system [id]\n", "should be a mapping"),
        ("areas: !mine { code: a }\n", "should be a list"),
    ],
)
def test_what_is_no_community_at_all_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in found for found in mistakes(tmp_path, text))


def _shortened(text: str) -> str:
    """A value as a mistake shows it: where this test runs decides how long the path is."""
    return text if len(text) <= 80 else f"{text[:77]}…"

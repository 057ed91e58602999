"""Sheets of devices: any encoding is read, every mistake is found at its cell, what is written reads back."""

import contextlib
import io
import zipfile
from collections.abc import Mapping
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.profiles import load_profiles
from config.text import Language, Text, printable, unprintable
from gateway.delivery import Delivery
from gateway.devices import guessing, importing, listing
from gateway.devices.draft import AssetKnown, Fit, Land, Registered, Wanted
from gateway.devices.judging import judge
from gateway.devices.payloads import MOST_SHOWN, readable
from gateway.devices.sheet import (
    HEADINGS,
    MOST_ROWS,
    Sheet,
    Unreadable,
    letter,
    read,
    write_csv,
    write_excel,
)
from gateway.known import Window
from rules.book import load_rulebook
from tests.manual_clock import START

RULES = listing.rule_attributes(load_rulebook())
KNOWN = listing.known_attributes(RULES)
EUI = "24e124713c400001"
WHOLE = {"empty_distance_mm": 2500, "full_distance_mm": 500}


def registered(code: str, **changes: object) -> Registered:
    values = {
        "device_id": 7,
        "community_id": 1,
        "community": "court",
        "code": code,
        "profile": "bin-native",
        "asset_id": 1,
        "asset": "BIN-1",
        "dev_eui": None,
        "attributes": {},
    }
    return Registered(**{**values, **changes})  # type: ignore[arg-type]


def land(*devices: Registered, euis: Mapping[str, tuple[str, str]] | None = None) -> Land:
    name = Text(zh="物", en="Thing")
    assets = [
        AssetKnown(1, "BIN-1", "bin", name, {}),
        AssetKnown(2, "BIN-2", "bin", name, WHOLE),
        AssetKnown(3, "LIFT-1", "elevator", name, {}),
    ]
    return Land(
        communities={"court": 1},
        assets={("court", each.code): each for each in assets},
        devices={("court", each.code): each for each in devices},
        euis=euis or {each.dev_eui: ("court", each.code) for each in devices if each.dev_eui},
        profiles=load_profiles(),
        attributes=RULES,
    )


def csv(text: str) -> Sheet:
    return read(text.encode(), KNOWN)


def said(plan: importing.Plan) -> list[str]:
    return [
        f"{fault.column}{fault.row} {fault.heading}: {fault.value}: {fault.right.en}" for fault in plan.faults
    ]


SHEET = "小区,设备编码,型号,资产,DevEUI,note_where\ncourt,b-1,bin-native,BIN-1,,三楼\n"


@pytest.mark.parametrize(
    "content",
    [
        SHEET.encode(),
        SHEET.encode("utf-8-sig"),
        SHEET.encode("gbk"),
        SHEET.replace(",", "\t").encode("utf-16"),
        SHEET.replace(",", ";").replace("\n", "\r\n").encode(),
    ],
    ids=["utf-8", "with mark", "gbk", "utf-16", "semicolons"],
)
def test_every_encoding_is_read(content: bytes) -> None:
    plan = importing.plan(read(content, KNOWN), land())
    assert said(plan) == []
    [fit] = plan.fits
    assert (fit.code, fit.asset_id, fit.attributes) == ("b-1", 1, {"note_where": "三楼"})


def test_all_mistakes_are_said_at_once_at_their_cells() -> None:
    text = (
        "community,code,profile,asset,DevEUI,empty_distance_mm,full_distance_mm\n"
        "cort,b 1,bin-native,BIN-1,,,\n"
        "court,b-2,bin-nativ,BIN-1,,,\n"
        "court,b-3,bin-native,LIFT-1,,,\n"
        "court,b-4,milesight-em310-udl,BIN-1,xyz,high,500\n"
        ",,,,,,\n"
        "court,b-5,milesight-em310-udl,BIN-2,24E124713C400001,400,\n"
        "court,b-5,milesight-em310-udl,BIN-2,24e124713c400001,,\n"
        "court,b-6,bin-native,,,,,stray\n"
    )
    assert said(importing.plan(csv(text), land())) == [
        "A2 community: cort: is no community you may change; did you mean 'court'?",
        "B2 code: b 1: should be letters, digits, dot, dash and _ only, a letter or digit first, at most 63",
        "C3 profile: bin-nativ: is no device profile; did you mean 'bin-native'?",
        (
            "C4 profile: bin-native: watches no elevator; "
            "known: elevator-bacnet, elevator-gbt24476, elevator-native"
        ),
        "E5 DevEUI: xyz: should be a DevEUI: 16 hexadecimal digits",
        "F5 empty_distance_mm: high: should be a number from 0 to 20000",
        "G7 full_distance_mm: 500: should be below empty_distance_mm, here 400: a fuller bin is nearer",
        "B8 code: b-5: is in row 7 already",
        "E8 DevEUI: 24e124713c400001: is in row 7 already",
        "D9 asset: : is missing: choose the asset that it watches",
        "H9 : stray: this column has no heading",
    ]


def test_a_column_that_is_missing_or_unknown_is_said_once() -> None:
    plan = importing.plan(csv("code,profil,code\nb-1,x,y\nb-2,x,y\n"), land())
    assert said(plan) == [
        "1 community: community: the column 'community' is missing",
        "1 profile: profile: the column 'profile' is missing",
        "B1 profil: profil: is no column and no attribute; did you mean 'profile'?",
        "C1 code: code: this column is there twice",
    ]


def test_what_changes_is_told_from_what_does_not() -> None:
    there = [
        registered("b-1"),
        registered("b-2", attributes={"volume_l": 240, "note_x": "y"}),
        registered("b-3", asset_id=2, asset="BIN-2"),
    ]
    text = (
        "community,code,profile,asset,volume_l\ncourt,b-1,bin-native,BIN-1,\ncourt,b-2,bin-native,BIN-1,120\n"
        "court,b-3,bin-native,BIN-1,\ncourt,b-4,bin-native,BIN-1,\n"
    )
    plan = importing.plan(csv(text), land(*there))
    assert said(plan) == []
    assert [fit.code for fit in plan.new] == ["b-4"]
    assert [(fit.code, fit.changes) for fit in plan.changed] == [("b-2", ("volume_l",)), ("b-3", ("asset",))]
    assert plan.changed[0].attributes == {"volume_l": 120, "note_x": "y"}, "no column, no change"
    assert [fit.code for fit in plan.unchanged] == ["b-1"]


def test_two_radios_may_swap_but_none_may_take_anothers() -> None:
    profile, other = "milesight-em310-udl", "24e124713c400002"
    there = [
        registered("r-1", profile=profile, asset_id=2, asset="BIN-2", dev_eui=EUI),
        registered("r-2", profile=profile, asset_id=2, asset="BIN-2", dev_eui=other),
    ]
    head = "community,code,profile,asset,DevEUI\n"
    swap = f"{head}court,r-1,{profile},BIN-2,{other}\ncourt,r-2,{profile},BIN-2,{EUI}\n"
    assert said(importing.plan(csv(swap), land(*there))) == []
    steal = f"{head}court,r-3,{profile},BIN-2,{EUI}\n"
    assert said(importing.plan(csv(steal), land(*there))) == [
        f"E2 DevEUI: {EUI}: already belongs to court/r-1; each radio has its own"
    ]


def test_a_dev_eui_that_excel_rounded_is_noticed() -> None:
    from openpyxl import Workbook  # noqa: PLC0415

    book = Workbook()
    book.active.append(["community", "code", "profile", "asset", "DevEUI"])
    book.active.append(["court", 101, "milesight-em310-udl", "BIN-2", 1000000000000000])
    book.active.append(["court", "r-2", "milesight-em310-udl", "BIN-2", "2000000000000000"])
    out = io.BytesIO()
    book.save(out)
    plan = importing.plan(read(out.getvalue(), KNOWN), land())
    assert [(fault.row, fault.column) for fault in plan.faults] == [(2, "E")]
    assert "15 digits" in plan.faults[0].right.en
    assert [fit.code for fit in plan.fits] == ["101", "r-2"]


@pytest.mark.parametrize(
    ("content", "right"),
    [
        (b"", "first row"),
        (b"\x00\x01\x02", "cannot be read"),
        (b"\x81\xff\xff", "cannot be read"),
        (b"PK\x03\x04nonsense", "not an Excel workbook"),
        (b"code\n", "no devices"),
        (b"x" * (2 * 1024 * 1024 + 1), "over 2 MB"),
        (b"code\n" + b"x\n" * (MOST_ROWS + 1), "rows"),
        (b'code\n"' + b"x" * 200_000 + b'"\n', "not a CSV"),
    ],
)
def test_what_is_no_sheet_is_refused(content: bytes, right: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(content, KNOWN)
    assert right in refused.value.text.en


def test_a_zip_bomb_is_not_unpacked() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * (65 * 1024 * 1024))
    with pytest.raises(Unreadable, match="too large when unpacked"):
        read(out.getvalue(), KNOWN)


def test_what_is_exported_reads_back_and_no_cell_is_a_formula() -> None:
    notes = {"note_a": "=1+2", "note_b": "-5", "note_c": "'=x", "volume_l": 240.1 + 0.2, "note_d": 'a,b\n"c"'}
    device = registered("b-1", attributes=notes)
    rows = [importing.as_row(device)]
    names = listing.columns(rows)
    for language in get_args(Language):
        for content in (write_csv(names, rows, language), write_excel(names, rows, language)):
            plan = importing.plan(read(content, KNOWN), land(device))
            assert said(plan) == []
            assert [fit.changes for fit in plan.fits] == [()]
    assert "\n=1+2" not in write_csv(names, rows, "en").decode("utf-8-sig").replace(",", "\n")


ANY_TEXT = st.text(st.characters() | st.characters(categories=("Cc", "Cs")) | st.sampled_from("\ufffe\uffff"))


@given(ANY_TEXT)
def test_what_was_kept_by_whatever_way_is_exported_and_reads_back(note: str) -> None:
    rows = [importing.as_row(registered("b-1", attributes={"note_a": note}))]
    for language in get_args(Language):
        for write in (write_csv, write_excel):
            sheet = read(write(listing.columns(rows), rows, language), KNOWN)
            [row] = sheet.rows
            back = row.wanted.attributes["note_a"]
            assert back.split() == printable(note).split()
            assert unprintable(back) is None


@given(ANY_TEXT)
def test_a_note_is_kept_just_as_it_is_or_refused_by_its_character(note: str) -> None:
    judged = judge(Wanted("court", "b-9", "bin-native", "BIN-1", "", {"note_a": note}), land())
    wrong = unprintable(note)
    if wrong is None:
        assert isinstance(judged, Fit)
        assert judged.attributes.get("note_a", "") == note
    else:
        assert isinstance(judged, list)
        [fault] = judged
        assert (fault.field, wrong in fault.right.en, wrong in fault.right.zh) == ("note_a", True, True)
        fault.value.encode()


@pytest.mark.parametrize("character", ["\0", "\v", "\x1b", "\x7f", "\x85", "\ud800", "\ufffe", "\uffff"])
def test_what_nothing_can_show_is_no_text(character: str) -> None:
    assert unprintable(f"a{character}b") == f"U+{ord(character):04X}"
    assert printable(f"a{character}b") == "ab"
    assert unprintable("桶 №3 ✓ 👩‍🔧\tone\r\ntwo\n") is None


def test_the_template_has_columns_and_says_what_they_take() -> None:
    from openpyxl import load_workbook  # noqa: PLC0415

    for language in get_args(Language):
        notes = listing.notes(load_profiles(), RULES, language)
        book = load_workbook(io.BytesIO(write_excel(tuple(HEADINGS), [], language, notes)))
        first = [cell.value for cell in next(book.worksheets[0].iter_rows())]
        assert first == [text[language] for text in HEADINGS.values()]
        assert any("empty_distance_mm" in [cell.value for cell in row] for row in book.worksheets[1].rows)


def test_a_kiosk_needs_its_key_and_no_asset() -> None:
    kiosk = Wanted("court", "k-1", "kiosk", "BIN-1", attributes={"public_key": "short"})
    judged = judge(kiosk, land())
    assert isinstance(judged, list)
    assert [fault.field for fault in judged] == ["asset", "public_key"]
    good = Wanted("court", "k-1", "kiosk", attributes={"public_key": "A" * 43 + "=", "name_en": "Till"})
    assert isinstance(judge(good, land()), Fit)


def test_a_retired_device_is_brought_back_first() -> None:
    judged = judge(Wanted("court", "b-1", "bin-native", "BIN-1"), land(registered("b-1", retired_at=START)))
    assert isinstance(judged, list)
    assert "bring it back" in judged[0].right.en


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_whatever_is_typed_is_judged(community: str, code: str, asset: str, value: str) -> None:
    wanted = Wanted(community, code, "bin-native", asset, value, {"volume_l": value, asset: value})
    judged = judge(wanted, land(registered("b-1")))
    assert isinstance(judged, Fit) or judged


@given(st.binary(max_size=300))
def test_any_bytes_are_a_sheet_or_refused(content: bytes) -> None:
    with contextlib.suppress(Unreadable):
        assert importing.plan(read(content, KNOWN), land()).fits == ()


def test_letters_of_columns() -> None:
    assert [letter(at) for at in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


@given(st.binary(max_size=2_000) | st.text(max_size=2_000).map(str.encode))
def test_any_payload_is_shown_as_harmless_text(payload: bytes) -> None:
    shown = readable(payload)
    assert len(shown) <= MOST_SHOWN + 2
    assert all(each.isprintable() or each == "\n" or each.isspace() for each in shown)
    assert not {"\u202e", "\u2066", "\0", "\x1b"} & set(shown)


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b'{"b":1,"a":[true]}', '{\n  "b": 1,\n  "a": [\n    true\n  ]\n}'),
        (b"\xff\x00", "ff 00"),
        ("abc\u202edef".encode(), "abc\\u202edef"),
        (b"[" * 100_000, "[" * MOST_SHOWN + " …"),
        (b'{"n":' + b"9" * 5_000 + b"}", '{"n":' + "9" * (MOST_SHOWN - 5) + " …"),
    ],
)
def test_payloads_are_shown(payload: bytes, shown: str) -> None:
    assert readable(payload) == shown


@given(
    st.sampled_from(
        [
            "clerestory/c/d/up",
            "clerestory/c/d/pay",
            f"application/1/device/{EUI}/event/up",
            "v3/a/devices/d/up",
        ]
    ),
    st.binary(max_size=200) | st.text(max_size=200).map(str.encode),
)
def test_no_message_of_a_stranger_breaks_the_guess(topic: str, payload: bytes) -> None:
    window = Window(timedelta(days=400))
    for profile, weight in guessing.likely_profiles(
        [Delivery(topic, payload, START)], load_profiles(), window
    ):
        assert profile.name
        assert weight >= 0

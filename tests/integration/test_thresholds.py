"""Thresholds of community, area, asset and device: the innermost holds, and every change has its line."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection

from clerestory.community.load import check_community, load_community
from clerestory.community.mistakes import MistakesFound
from clerestory.doctor import check_thresholds
from config.profiles import load_profiles
from config.settings import Settings
from gateway.registry import Registry
from rules.book import load_rulebook
from rules.facts import facts_of, rules_for

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
COURT = """\
community:
  {code: court, name: {zh: 院, en: Court}, timezone: Asia/Shanghai%s}
areas:
  - {code: market, name: {zh: 集市, en: Market}%s}
assets:
  - code: A1
    class: bin
    area: market
    name: {zh: 桶, en: Bin}
    attributes: {%s}
    device: {code: A1-S, profile: bin-native, attributes: {%s}}
"""


def court(folder: Path, community: str = "", area: str = "", asset: str = "", device: str = "") -> Path:
    file = folder / "court.yaml"
    file.write_text(
        COURT % (community and f", {community}", area and f", {area}", asset, device), encoding="utf-8"
    )
    return file


async def threshold(conn: AsyncConnection, registry: Registry) -> object:
    """What a gateway that has looked before now tells the rules."""
    await registry.refresh(conn)
    name = ("court", "A1-S")
    if registry.missing([name]):
        await registry.learn(conn, [name])
    device = registry.find(name).device
    return facts_of(device, rules_for(device, load_rulebook())).asset["full_percent"]


async def rows(conn: AsyncConnection, query: str) -> list[tuple[Any, ...]]:
    cursor = await conn.execute(query.encode())
    return await cursor.fetchall()


async def test_the_innermost_holds_at_once_and_every_change_has_its_line(
    conn: AsyncConnection, tmp_path: Path
) -> None:
    registry = Registry(load_profiles())
    found = []
    for step in (
        {},
        {"community": "thresholds: {bin: {full_percent: 80}}"},
        {"area": "thresholds: {bin: {full_percent: 70}}"},
        {"area": "thresholds: {bin: {full_percent: 70}}", "asset": "full_percent: 60"},
        {"asset": "full_percent: 60", "device": "full_percent: 55"},
        {"area": "thresholds: {}"},
        {"community": "thresholds: {}"},
    ):
        await load_community(conn, court(tmp_path, **step), NOW)
        found.append(await threshold(conn, registry))
    # A file that says nothing of a place's thresholds leaves them; an empty one takes them away.
    assert found == [90.0, 80.0, 70.0, 60.0, 55.0, 80.0, 90.0]
    lines = await rows(
        conn, "SELECT place, asset_class, name, was, becomes, who FROM threshold_change ORDER BY id"
    )
    assert lines == [
        ("court", "bin", "full_percent", None, 80, "community file"),
        ("market", "bin", "full_percent", None, 70, "community file"),
        ("A1", "bin", "full_percent", None, 60, "community file"),
        ("market", "bin", "full_percent", 70, None, "community file"),
        ("A1", "bin", "full_percent", 60, None, "community file"),
        ("court", "bin", "full_percent", 80, None, "community file"),
    ]
    again = await load_community(conn, court(tmp_path, "thresholds: {}"), NOW)
    assert not again.changed


async def version(conn: AsyncConnection) -> int:
    [(count,)] = await rows(conn, "SELECT version FROM registry_version")
    return int(count)


async def test_a_change_of_thresholds_counts_as_one_of_the_registry(
    conn: AsyncConnection, tmp_path: Path
) -> None:
    await load_community(conn, court(tmp_path), NOW)
    before = await version(conn)
    await conn.execute('UPDATE area SET thresholds = \'{"bin": {"full_percent": 75}}\'')
    assert await version(conn) > before


@pytest.mark.parametrize(
    ("community", "area", "said"),
    [
        ("thresholds: {bni: {full_percent: 80}}", "", "'bni': is no asset class"),
        (
            "thresholds: {bin: {ful_percent: 80}}",
            "",
            "is read by no rule of bin; did you mean 'full_percent'?",
        ),
        ("", "thresholds: {bin: {full_percent: 180}}", "180: should be a number from 50 to 100"),
        ("", "thresholds: {bin: {full_percent: high}}", "'high': should be a number from 50 to 100"),
        ("", "thresholds: {lobby: {full_percent: 80}}", "is read by no rule of lobby"),
        ("thresholds: {bin: {volume_l: 240}}", "", "is read by no rule of bin"),
        ("thresholds: 90", "", "thresholds"),
    ],
)
def test_thresholds_are_checked(tmp_path: Path, community: str, area: str, said: str) -> None:
    with pytest.raises(MistakesFound) as mistakes:
        check_community(court(tmp_path, community, area))
    [mistake] = mistakes.value.mistakes
    assert said in str(mistake)
    assert "thresholds" in str(mistake)


def test_wrong_thresholds_are_told_with_all_other_mistakes(tmp_path: Path) -> None:
    file = court(
        tmp_path, "thresholds: {bin: {full_percent: 1}}", "thresholds: {bin: {x: 1}}", "full_percent: 1"
    )
    with pytest.raises(MistakesFound) as mistakes:
        check_community(file)
    assert len(mistakes.value.mistakes) == 3


async def test_the_doctor_names_what_no_longer_fits_the_rules(
    conn: AsyncConnection, database_url: str, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path)
    await load_community(conn, court(tmp_path, "thresholds: {bin: {full_percent: 85}}"), NOW)
    [fine] = await check_thresholds(database_url, settings)
    assert (fine.status, fine.what) == ("ok", "all that are set can hold")
    await conn.execute(
        """
        UPDATE community SET thresholds = '{"bin": {"full_percent": 185, "gone": 1}}';
        UPDATE asset SET attributes = '{"full_percent": "high", "volume_l": 240}'
        """
    )
    found = await check_thresholds(database_url, settings)
    assert [(each.status, each.what) for each in found] == [
        ("problem", "asset court/A1: full_percent: 'high' is not a number"),
        ("problem", "community court: full_percent: 185 is outside 50.0 to 100.0"),
        ("problem", "community court: gone is read by no rule of bin"),
    ]

"""`clerestory profile`: what a site sees before it relies on a profile."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clerestory.cli import main
from config.profiles import load_profiles, use_site_profiles
from tests.unit.gateway_devices import RECORDED
from tests.unit.test_profile_files import GOOD, WRONG, written


def called(*arguments: str, stdin: str | bytes = "") -> Result:
    try:
        return CliRunner().invoke(main, ["profile", *arguments], input=stdin, catch_exceptions=False)
    finally:
        use_site_profiles(None)


@pytest.fixture(autouse=True)
def _site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLERESTORY_PROFILES_DIR", str(tmp_path))


def test_a_sites_profile_is_listed_shown_and_checked(tmp_path: Path) -> None:
    written(tmp_path, GOOD, "site-bin")
    assert "site-bin\tlorawan\tbin" in called("list").output
    shown = called("show", "site-bin").output
    assert "data.distance → distance_mm (from cm)" in shown
    assert "code      7 → cover_open" in shown
    assert "no mistakes" in called("check").output


@pytest.mark.parametrize("name", sorted(load_profiles().names))
def test_every_shipped_profile_can_be_shown(name: str) -> None:
    assert called("show", name).output.startswith(f"{name}: ")


def test_mistakes_are_counted_and_placed(tmp_path: Path) -> None:
    wrong = written(tmp_path, WRONG, "site-wrong")
    answer = called("check", str(wrong))
    assert answer.exit_code == 1
    assert f"{wrong}:6:23: 'distence_mm'" in answer.output
    assert "8 mistakes" in answer.output
    assert called("list").exit_code == 1, "the site's folder has a mistake in it"
    assert called("test", str(wrong), "-", stdin="{}").exit_code == 1


@pytest.mark.skipif(not RECORDED.is_dir(), reason=f"no recorded uplinks in {RECORDED}")
@pytest.mark.parametrize("model", ["em310-udl", "em310-tilt"])
@pytest.mark.parametrize("network", ["chirpstack", "thingsstackcommunity"])
def test_a_recorded_uplink_is_understood(model: str, network: str) -> None:
    distances = ["--attribute", "empty_distance_mm=2500", "--attribute", "full_distance_mm=500"]
    sample = RECORDED / f"{model}-{network}.json"
    answer = called("test", f"milesight-{model}", str(sample), *distances)
    assert answer.exit_code == 0
    wanted = "fill_percent = 19.2 %" if model == "em310-udl" else "angle_z_deg = 90 °"
    assert wanted in answer.output


@pytest.mark.parametrize(
    ("profile", "sample", "says"),
    [
        ("milesight-em310-udl", "01755C 03824408 040001", "distance_mm = 2,116 mm"),
        ("milesight-em310-udl", '{"battery": 92, "distance": 400, "odd": 1}', "not used: odd"),
        ("milesight-em310-udl", '{"sn": "6136"}', "nothing but a sign of life"),
        ("elevator-gbt24476", '["90", 8]', "restart_prevention"),
        ("elevator-gbt24476", '"43"', "service_mode = 检修 / inspection"),
        ("escalator-gbt24476", "[61, 62, 63, 64, 65]", "missing_step"),
        ("elevator-native", '{"v": 1, "ts": "2020-01-01T00:00:00Z", "readings": {"floor": 3}}', "floor = 3"),
        ("dingtek-df702", '{"level": 40, "full": true}', "full_alarm"),
    ],
)
def test_a_sample_is_understood(profile: str, sample: str, says: str) -> None:
    answer = called("test", profile, "-", stdin=sample)
    assert answer.exit_code == 0
    assert says in answer.output


@pytest.mark.parametrize(
    ("profile", "sample", "reason"),
    [
        ("elevator-gbt24476", "[99]", "unknown_event"),
        ("elevator-gbt24476", "[]", "missing_field"),
        ("elevator-gbt24476", "null", "bad_type"),
        ("milesight-em310-udl", "", "not_json"),
        ("milesight-em310-udl", "0175", "undecodable"),
        ("milesight-em310-udl", "017", "undecodable"),
        ("milesight-em310-udl", "[1]", "bad_type"),
        ("milesight-em310-udl", '{"deviceInfo": 1}', "bad_type"),
        ("milesight-em310-udl", '{"uplink_message": []}', "bad_type"),
        ("milesight-em310-udl", '{"distance": 1e400}', "out_of_range"),
        (
            "dingtek-df702",
            '{"deviceInfo": {"devEui": "1000000000000001"}, "time": "2026-01-01T00:00:00Z"}',
            "no_decoder",
        ),
        ("bin-fiware", "[" * 50_000, "not_json"),
        ("kiosk", "{}", "unknown_signal"),
    ],
)
def test_a_hostile_sample_is_refused_with_the_gateways_reason(profile: str, sample: str, reason: str) -> None:
    answer = called("test", profile, "-", stdin=sample)
    assert answer.exit_code == 1
    assert answer.output.startswith(f"refused: {reason} (")


def test_bytes_that_are_no_text_are_refused() -> None:
    assert "refused: not_json" in called("test", "dingtek-df702", "-", stdin=b"\xff\xfe").output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["show", "nobody"], "there are: bin-fiware"),
        (["test", "dingtek-df702", "-", "--attribute", "x"], "right would be NAME=NUMBER"),
        (["test", "dingtek-df702", "-", "--attribute", "x=tall"], "right would be NAME=NUMBER"),
        (["test", "dingtek-df702", "missing.json"], "does not exist"),
        (["show", "missing.yaml"], "cannot be read"),
    ],
)
def test_what_is_asked_wrongly_is_said(arguments: list[str], says: str) -> None:
    answer = called(*arguments, stdin=json.dumps({}))
    assert answer.exit_code != 0
    assert says in answer.output

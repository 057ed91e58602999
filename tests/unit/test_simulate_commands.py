"""`clerestory simulate`, given what it cannot use: a sentence, and no traceback."""

import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from clerestory.commands.simulate import simulate
from clerestory.demo.life import left_to_chance
from clerestory.demo.prepare import RESIDENT_UNIT
from clerestory.demo.secrets import keep_secrets
from tests.acceptance.recorded import recording


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("CLERESTORY_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return CliRunner()


@pytest.mark.parametrize("written", [b"bad", b"AAAA\n", b"\xff\xfe"])
def test_a_file_that_holds_no_private_key_is_refused(run: CliRunner, tmp_path: Path, written: bytes) -> None:
    key = tmp_path / "kiosk.key"
    key.write_bytes(written)
    nobody = ["--mqtt", "mqtt://127.0.0.1:1", "--unit", "B3-1602"]
    result = run.invoke(simulate, ["kiosk", "--key", str(key), *nobody])
    assert result.exit_code == 2
    assert f"{key} should hold 32 bytes in base64" in result.stderr


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:1883", "http://127.0.0.1", "mqtt://"])
def test_an_address_that_is_no_brokers_is_refused(run: CliRunner, tmp_path: Path, address: str) -> None:
    result = run.invoke(simulate, ["uplinks", "--from", str(tmp_path), "--mqtt", address])
    assert result.exit_code == 1
    assert f"--mqtt {address}: right would be mqtt://" in result.stderr


@pytest.fixture
def nobody_listens() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("kind", ["bins", "elevator", "uplinks", "kiosk"])
def test_a_stopped_site_ends_a_simulation_with_one_line(
    run: CliRunner, tmp_path: Path, nobody_listens: int, kind: str
) -> None:
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "port").write_text(f"{nobody_listens}\n")
    keep_secrets(tmp_path / "secrets.json", ("K1",))
    given = {
        "bins": ["--from", str(recording("bins/litter-bin-collections-2016.csv"))],
        "elevator": ["--from", str(recording("elevator/car-door-4hz.csv"))],
        "uplinks": ["--from", str(recording("lorawan"))],
        "kiosk": ["--unit", "B3-1602"],
    }
    result = run.invoke(simulate, [kind, *given[kind]])
    assert result.exit_code == 1
    assert f"broker 127.0.0.1:{nobody_listens} cannot be reached" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_without_a_demo_a_kiosk_needs_its_key(run: CliRunner, tmp_path: Path) -> None:
    result = run.invoke(simulate, ["kiosk", "--mqtt", "mqtt://127.0.0.1:1", "--unit", "B3-1602"])
    assert result.exit_code == 2
    assert f"is needed: {tmp_path} holds no demo" in result.stderr


@pytest.mark.parametrize("place", [".", "demo"])
def test_the_demos_key_is_found_by_itself(
    run: CliRunner, tmp_path: Path, nobody_listens: int, place: str
) -> None:
    keep_secrets(tmp_path / place / "secrets.json", ("K1", "K2"))
    away = ["--mqtt", f"mqtt://127.0.0.1:{nobody_listens}", "--unit", "B3-1602"]
    found = run.invoke(simulate, ["kiosk", *away])
    assert (found.exit_code, "cannot be reached" in found.stderr) == (1, True)
    other = run.invoke(simulate, ["kiosk", "--kiosk", "K9", *away])
    assert other.exit_code == 2
    assert "K9: the demo has K1, K2" in other.stderr


def test_the_demo_leaves_the_bill_that_is_shown_to_whoever_looks() -> None:
    """README and the welcome both say how to pay it: it must not be paid by chance before."""
    assert left_to_chance(["B3-1601", RESIDENT_UNIT, "B3-1603"]) == ["B3-1601", "B3-1603"]
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"simulate kiosk --unit {RESIDENT_UNIT}" in readme

"""`clerestory simulate`, given what it cannot use: a sentence, and no traceback."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from clerestory.commands.simulate import simulate


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

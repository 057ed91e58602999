"""`clerestory rules versions`, `switch-on` and `back`, as a person meets them."""

import asyncio
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from psycopg import AsyncConnection

from clerestory.cli import main
from rules.sources import shipped_rules
from rules.versions import store
from tests.integration.gateway_world import make_world, one, until

BIN = next(path for path in shipped_rules() if path.stem == "bin").read_text(encoding="utf-8")


@pytest.fixture
async def at_home(conn: AsyncConnection, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLERESTORY_DATABASE_URL", database_url)
    await make_world(conn)


async def rules(*words: object) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, ["rules", *map(str, words)])


def changed(folder: Path, percent: int = 80) -> Path:
    file = folder / "bin.yaml"
    file.write_text(BIN.replace("default: 90", f"default: {percent}"), encoding="utf-8")
    return file


@pytest.mark.usefixtures("at_home")
async def test_on_and_back_with_who_and_why(conn: AsyncConnection, tmp_path: Path) -> None:
    result = await rules("versions")
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["bin", "elevator", "escalator"]
    file = changed(tmp_path)
    digest = (await rules("versions", "bin")).stdout.split()[-1]
    result = await rules("switch-on", file, "--reason", "too late", "--by", "Chen", "--made-from", digest)
    assert (result.exit_code, result.stdout) == (0, "bin: version 1 is in force\n")
    result = await rules("back", "bin", 0, "--reason", "too early", "--by", "Li")
    assert (result.exit_code, result.stdout) == (0, "bin: version 2 is in force\n")
    result = await rules("back", "bin", 1, "--reason", "after all", "--by", "Li")
    assert result.exit_code == 0
    first = (await rules("versions")).stdout.splitlines()[0]
    assert first.startswith("bin\tversion 3, switched on ")
    assert first.endswith("by Li: after all")
    listed = [line.split("\t") for line in (await rules("versions", "bin")).stdout.splitlines()]
    assert [(cells[0], cells[2], cells[-1]) for cells in listed[:3]] == [
        ("3", "Li", "after all"),
        ("2", "Li", "too early"),
        ("1", "Chen", "too late"),
    ]
    assert await one(conn, "SELECT count(*) FROM rule_version") == 3


async def switched(file: Path, reason: str) -> tuple[int | None, str]:
    """The command in a process of its own."""
    words = ["rules", "switch-on", str(file), "--reason", reason]
    command = str(Path(sys.executable).with_name("clerestory"))
    running = await create_subprocess_exec(command, *words, stdout=PIPE, stderr=PIPE)
    said, trouble = await running.communicate()
    return running.returncode, (said + trouble).decode()


@pytest.mark.usefixtures("at_home")
async def test_of_two_who_switch_at_once_one_does_and_the_other_is_told(
    conn: AsyncConnection, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    files = [changed(tmp_path), changed(tmp_path / "other", 70)]

    async def both_wait() -> bool:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        return bool(await one(conn, waiting) == len(files))

    async with conn.transaction():
        await store.switch_alone(conn, "1min")
        switching = [asyncio.create_task(switched(file, "now")) for file in files]
        await until(both_wait, "both to wait for their turn")
    done = await asyncio.gather(*switching)
    assert all("Traceback" not in said for _, said in done), done
    assert await one(conn, "SELECT count(*) FROM rule_version") == sum(code == 0 for code, _ in done) > 0


@pytest.mark.usefixtures("at_home")
async def test_what_cannot_be_is_said_and_nothing_is_kept(conn: AsyncConnection, tmp_path: Path) -> None:
    file = changed(tmp_path)
    for words, code, said in (
        (("switch-on", file), 2, "Missing option '--reason'"),
        (("switch-on", file, "--reason", "a\vb"), 1, "in 1 to 500 characters that can be shown"),
        (("switch-on", file, "--reason", "r", "--by", "\udcff"), 1, "characters that can be shown"),
        (("switch-on", file, "--reason", "r", "--base", 4), 1, "bin is at version 0 now"),
        (("switch-on", file, "--reason", "r", "--replaces", "lamp"), 2, "no rule file 'lamp' is in use"),
        (
            ("switch-on", file, "--reason", "r", "--made-from", "0123456789ab"),
            1,
            "the file of bin is another",
        ),
        (("switch-on", file, "--reason", "r", "--made-from", ""), 1, "the file of bin is another"),
        (("back", "bin", 5, "--reason", "r"), 1, "there is no version 5 of 'bin'"),
        (("back", "lamp", 0, "--reason", "r"), 1, "there is no rule file 'lamp'"),
        (("versions", "lamp"), 2, "there is no rule file 'lamp'; there are: bin, elevator"),
    ):
        result = await rules(*words)
        assert (result.exit_code, said in result.stderr) == (code, True), result.output
    file.write_text(BIN.replace("fill_percent >=", "fil_percent >="), encoding="utf-8")
    result = await rules("switch-on", file, "--reason", "r")
    assert result.exit_code == 1
    assert "'fil_percent' is not a signal of bin" in result.stderr
    assert await one(conn, "SELECT count(*) FROM rule_version") == 0


@pytest.mark.usefixtures("at_home")
async def test_a_replay_is_against_what_is_in_force(tmp_path: Path) -> None:
    await rules("switch-on", changed(tmp_path), "--reason", "r")
    result = await rules("replay", "--rules", changed(tmp_path), "--from", "2d")
    assert result.exit_code == 0
    assert "no alarm would be new, gone or different" in result.stdout

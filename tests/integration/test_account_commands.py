"""`clerestory account`: adding, listing, passwords, disabling."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from clerestory.cli import main
from storage.pool import in_utc, open_pool
from tests import town as towns
from web.passwords import Passwords


@pytest.fixture
def site(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLERESTORY_DATABASE_URL", database_url)
    monkeypatch.setenv("CLERESTORY_DATA_DIR", str(tmp_path))

    async def build() -> None:
        async with open_pool(database_url) as pool, pool.connection() as conn:
            await towns.build(conn)

    asyncio.run(build())
    return database_url


def _run(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, ["account", *arguments], input=stdin)


def _hash(url: str, login: str) -> str:
    with psycopg.connect(in_utc(url)) as conn:
        row = conn.execute("SELECT password_hash FROM account WHERE login = %s", [login]).fetchone()
    assert row is not None
    stored: str = row[0]
    return stored


def test_an_account_is_added_with_a_password_from_standard_input(site: str) -> None:
    done = _run(
        "add", "Lin", "--role", "dispatcher", "--community", "home", "--password-stdin", stdin="a long one\n"
    )
    assert (done.exit_code, done.output) == (0, "lin: added as dispatcher\n")
    stored = _hash(site, "lin")
    assert stored.startswith("$argon2id$")
    assert asyncio.run(_fits(stored, "a long one"))
    listed = _run("list").output.splitlines()
    assert "lin\tdispatcher\tzh\tlin\thome" in listed
    assert "ann\tresident\tzh\t安然\thome/ann" in listed


async def _fits(stored: str, password: str) -> bool:
    return await Passwords().verify(stored, password)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ann", "--role", "manager", "--community", "home"], "login 'ann': is taken"),
        (["x", "--role", "manager", "--community", "home"], "login 'x': 2 to 64 of a–z"),
        (
            ["lin", "--role", "manager", "--community", "home", "--name", "林\x07"],
            "has the character U+0007, which cannot be kept or shown",
        ),
        (["lin", "--role", "manager"], "role 'manager': needs at least one --community"),
        (
            ["lin", "--role", "manager", "--community", "nowhere"],
            "community 'nowhere': no community has this code",
        ),
        (["lin", "--role", "technician"], "role 'technician': needs --staff"),
        (
            ["lin", "--role", "technician", "--staff", "wang"],
            "staff 'wang': must be the code of a technician",
        ),
        (["lin", "--role", "resident", "--party", "ann"], "needs --community and --party"),
        (
            ["lin", "--role", "resident", "--party", "ann", "--community", "home"],
            "party 'ann': must be the code",
        ),
    ],
)
def test_what_cannot_be_added_says_what_would_be_right(site: str, arguments: list[str], says: str) -> None:
    done = _run("add", *arguments, "--no-password")
    assert site
    assert done.exit_code == 1
    assert says in done.output


def test_a_short_password_is_refused_and_nothing_is_added(site: str) -> None:
    done = _run("add", "lin", "--role", "finance", "--community", "home", "--password-stdin", stdin="short\n")
    assert site
    assert done.exit_code == 1
    assert "8 to 256 characters; this one has 5" in done.output
    assert "lin" not in _run("list").output


def test_a_password_is_asked_for_twice_and_signs_out_everywhere(site: str) -> None:
    before = _hash(site, "ann")
    done = _run("password", "ann", stdin="a long one\na long one\n")
    assert done.exit_code == 0
    assert "a long one" not in done.output
    assert _hash(site, "ann") != before
    assert _run("password", "nobody", "--password-stdin", stdin="a long one\n").exit_code == 1


def test_a_disabled_account_stays_listed(site: str) -> None:
    assert _run("disable", "ann").exit_code == 0
    assert site
    assert "ann\tresident\tzh\t安然\thome/ann\tdisabled" in _run("list").output.splitlines()

"""The console script knows every command, and each says what it is for."""

from importlib import import_module
from pkgutil import iter_modules

import pytest
from click.testing import CliRunner

import clerestory.commands
from clerestory.cli import HOMES, main


def test_every_command_is_reachable() -> None:
    offered = {
        command.name: module.name
        for module in iter_modules(clerestory.commands.__path__)
        # What another command is put together from, e.g. rules_replay for rules, is no command by itself.
        if not any(module.name.startswith(f"{home}_") for home in HOMES.values())
        for command in import_module(f"clerestory.commands.{module.name}").COMMANDS
    }
    assert offered == HOMES


@pytest.mark.parametrize("command", sorted(HOMES))
def test_every_command_has_help(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 3


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(main, ["bils"])
    assert result.exit_code == 2
    assert "bils" in result.output

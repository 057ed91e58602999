"""The console script. A command's module is imported when the command is asked for, so each starts fast."""

from importlib import import_module

import click

# Each command and the module of `clerestory.commands` that offers it in its COMMANDS.
HOMES = {
    "account": "web",
    "alarms": "alarms",
    "bill": "billing",
    "broker": "broker",
    "deadletters": "gateway",
    "demo": "demo",
    "devices": "devices",
    "doctor": "storage",
    "emergency": "alarms",
    "gateway": "gateway",
    "ledger": "billing",
    "load": "load",
    "migrate": "storage",
    "profile": "profile",
    "rules": "rules",
    "simulate": "simulate",
    "trace": "trace",
    "up": "up",
    "verify": "dispatch",
    "web": "web",
    "worker": "dispatch",
}


class Commands(click.Group):
    """The commands of HOMES, imported one by one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(HOMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        home = HOMES.get(cmd_name)
        if home is None:
            return None
        offered: list[click.Command] = import_module(f"clerestory.commands.{home}").COMMANDS
        return next(command for command in offered if command.name == cmd_name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="clerestory")
def main() -> None:
    """Clerestory (明楼): from a building's sensors to work that gets done, and to the proof behind a bill."""

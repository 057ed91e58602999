"""The console script: gathers the commands of every module in `clerestory.commands`."""

from importlib import import_module
from pkgutil import iter_modules

import click

import clerestory.commands


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="clerestory")
def main() -> None:
    """Clerestory (明楼): from a building's sensors to work that gets done, and to the proof behind a bill."""


for _module in iter_modules(clerestory.commands.__path__):
    for _command in import_module(f"clerestory.commands.{_module.name}").COMMANDS:
        main.add_command(_command)

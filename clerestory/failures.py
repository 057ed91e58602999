"""Failures an operator can mend, said in their own words and without a traceback."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click

from clerestory.door import CannotServe
from config.profile_files import ProfileFileError
from config.settings import SettingsError
from gateway.broker import BrokerFailed
from gateway.sharing import SharingUnsupported
from rules.document import RuleFileError
from storage.embedded import (
    AlreadyRunning,
    BinariesMissing,
    DataDirUnreachable,
    StartFailed,
    StillRunning,
)
from storage.migrate import MigrationFailed, NewerSchema
from storage.pool import DatabaseUnreachable

P = ParamSpec("P")
T = TypeVar("T")

MENDABLE = (
    SettingsError,
    ProfileFileError,
    BrokerFailed,
    SharingUnsupported,
    CannotServe,
    RuleFileError,
    AlreadyRunning,
    BinariesMissing,
    DataDirUnreachable,
    StartFailed,
    StillRunning,
    MigrationFailed,
    NewerSchema,
    DatabaseUnreachable,
)


def say_failures(command: Callable[P, T]) -> Callable[P, T]:
    """Let a command end with a sentence and exit code 1 where the installation is at fault, not we."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except MENDABLE as error:
            raise click.ClickException(str(error)) from error

    return guarded

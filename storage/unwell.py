"""Who is at fault when a statement fails: what was written, or the database, which may get well."""

from psycopg import DataError, Error, InterfaceError, OperationalError
from psycopg.errors import ReadOnlySqlTransaction

# SQLSTATE classes that speak about what was written: bad data, a broken constraint, a limit.
AT_FAULT = ("22", "23", "54")


def is_data_at_fault(error: BaseException) -> bool:
    """Say whether the database, or its client, refused what was written."""
    if not isinstance(error, Error):
        return False
    if error.sqlstate is None:
        return isinstance(error, DataError)  # psycopg could not even send it
    return error.sqlstate[:2] in AT_FAULT


def is_unwell(error: BaseException) -> bool:
    """Say whether the database is away, full, read-only or otherwise unable, whatever is written."""
    # A database made read-only (a replica, an operator, a provider whose disk is full) answers so.
    if isinstance(error, ReadOnlySqlTransaction):
        return True
    # A deadline of ours that ran out: the line to it may be dead without a sign.
    if isinstance(error, TimeoutError):
        return True
    return isinstance(error, OperationalError | InterfaceError) and not is_data_at_fault(error)

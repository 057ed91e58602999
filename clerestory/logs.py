"""How a process that runs until it is stopped says what it does."""

import logging

from config.settings import Settings


def begin_logging(settings: Settings) -> None:
    """Log to standard error from the level that `CLERESTORY_LOG_LEVEL` names."""
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )

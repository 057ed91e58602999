"""Times as people say them: relative in words, exact on hover, in the community's time zone."""

from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from markupsafe import Markup

from config.text import Language
from web.i18n import BABEL_LOCALES

_JUST_NOW: Final = timedelta(seconds=45)
_RELATIVE_UNTIL: Final = timedelta(days=7)
_UNMARKED: Final = Markup()
_SAY_NOW: Final = {"zh": "刚刚", "en": "just now"}
_EXACT: Final = {"zh": "y-MM-dd HH:mm", "en": "d MMM y, HH:mm"}
_DAY: Final = {"zh": "y年M月d日", "en": "d MMM y"}
_MONTH: Final = {"zh": "y年M月", "en": "MMMM y"}


def relative(moment: datetime, now: datetime, zone: ZoneInfo, language: Language) -> str:
    """Say how long ago or ahead; beyond a week the exact time says more."""
    ahead = moment - now
    if abs(ahead) < _JUST_NOW:
        return _SAY_NOW[language]
    if abs(ahead) > _RELATIVE_UNTIL:
        return exact(moment, zone, language)
    return str(format_timedelta(ahead, add_direction=True, threshold=1.0, locale=BABEL_LOCALES[language]))


def exact(moment: datetime, zone: ZoneInfo, language: Language) -> str:
    """Say the date and time of day there."""
    return str(format_datetime(moment.astimezone(zone), _EXACT[language], locale=BABEL_LOCALES[language]))


def when(moment: datetime, now: datetime, zone: ZoneInfo, language: Language) -> Markup:
    """Return a time element: relative words that the page keeps true, exact on hover."""
    words = relative(moment, now, zone, language)
    return _element(moment, words, exact(moment, zone, language), Markup(" data-relative"))


def exact_element(moment: datetime, zone: ZoneInfo, language: Language) -> Markup:
    """Return a time element with the exact words."""
    words = exact(moment, zone, language)
    return _element(moment, words, words)


def _element(moment: datetime, words: str, title: str, mark: Markup = _UNMARKED) -> Markup:
    return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(
        moment.isoformat(timespec="seconds"), title, mark, words
    )


def day(value: date, language: Language) -> str:
    """Say a date."""
    return str(format_date(value, _DAY[language], locale=BABEL_LOCALES[language]))


def month(value: date, language: Language) -> str:
    """Say a month."""
    return str(format_date(value, _MONTH[language], locale=BABEL_LOCALES[language]))

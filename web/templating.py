"""Jinja environments, one a language, and the filters every page uses."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from config.text import Language
from rules.wording.parts import passages
from web import times, words
from web.i18n import Catalogues

TEMPLATE_DIR: Final = Path(__file__).parent / "templates"
STATIC_DIR: Final = Path(__file__).parent / "static"


@dataclass(frozen=True, slots=True)
class Templates:
    """The compiled templates of both languages."""

    environments: Mapping[Language, Environment]

    def render(self, language: Language, name: str, context: Mapping[str, object]) -> str:
        """Render one template in one language."""
        return self.environments[language].get_template(name).render(context)


def load_templates(catalogues: Catalogues) -> Templates:
    """Build an environment for each language over the same files."""
    versions = _static_versions()
    return Templates({language: _environment(language, catalogues, versions) for language in ("zh", "en")})


def _environment(language: Language, catalogues: Catalogues, versions: Mapping[str, str]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE_DIR),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    catalogue = catalogues[language]
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        catalogue.gettext, catalogue.ngettext, newstyle=True, pgettext=catalogue.pgettext
    )

    def word(key: str, group: str) -> str:
        """Say a stored key (status, severity, role …) in this language."""
        return words.say(group, key, language)

    def month(value: date) -> str:
        return times.month(value, language)

    def day(value: date) -> str:
        return times.day(value, language)

    def asset(path: str) -> str:
        """Return the address of a static file; it changes when the file does."""
        return f"/static/{path}?v={versions[path]}"

    @pass_context
    def when(context: Context, moment: datetime) -> Markup:
        """Relative in words, exact on hover and to machines."""
        return times.when(moment, _moment(context), _zone(context), language)

    @pass_context
    def exact(context: Context, moment: datetime) -> Markup:
        return times.exact_element(moment, _zone(context), language)

    def side(text: str) -> str:
        """Choose a language's side of a text written as 中文 / English; any other text stays whole."""
        sides = text.split(" / ")
        return sides[0 if language == "zh" else 1] if len(sides) == 2 else text  # noqa: PLR2004 - two sides

    environment.filters.update(
        {"word": word, "month": month, "day": day, "when": when, "exact": exact, "money": money}
        | {"price": price, "quantity": quantity, "side": side, "passages": passages}
    )
    environment.globals.update({"asset": asset, "lang": language})
    return environment


def _moment(context: Context) -> datetime:
    moment = context["now"]
    if not isinstance(moment, datetime):
        raise TypeError(f"now must be a datetime, not {moment!r}")
    return moment


def _zone(context: Context) -> ZoneInfo:
    zone = context["zone"]
    if not isinstance(zone, ZoneInfo):
        raise TypeError(f"zone must be a ZoneInfo, not {zone!r}")
    return zone


def money(fen: int) -> str:
    """¥ and two decimals: 123456 → ¥1,234.56; a minus sign in front."""
    sign = "−" if fen < 0 else ""
    return f"{sign}¥{abs(fen) // 100:,}.{abs(fen) % 100:02d}"


def price(fen: Decimal) -> str:
    """Return a price in yuan with two decimals, more only where the price has them."""
    yuan = Decimal(fen) / 100
    text = f"{abs(yuan):,.6f}".rstrip("0")
    whole, _, decimals = text.partition(".")
    return f"{'−' if yuan < 0 else ''}¥{whole}.{decimals.ljust(2, '0')}"


def quantity(value: Decimal | float) -> str:
    """Return a quantity without trailing zeros: 98.50 → 98.5."""
    text = f"{Decimal(value):,.3f}"
    return text.rstrip("0").rstrip(".")


def _static_versions() -> Mapping[str, str]:
    return {
        path.relative_to(STATIC_DIR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:10]
        for path in STATIC_DIR.rglob("*")
        if path.is_file()
    }

"""QR codes as SVG, and the address that a device's label leads to."""

from urllib.parse import quote

from aiohttp import web
from markupsafe import Markup

from web.house import house_of


def label_address(request: web.Request, community: str, code: str) -> str:
    """The address a label leads to: by the name people open the pages by, else by that of this request."""
    base = house_of(request).public_url or f"{request.scheme}://{request.host}"
    return f"{base}/d/{quote(community, safe='')}/{quote(code, safe='')}"


def qr_code(text: str) -> Markup:
    """A QR code that still reads with a scratch, drawn in the colour of the text."""
    # Imported here: it is wanted for labels only.
    import segno  # noqa: PLC0415

    drawn: str = segno.make(text, error="m", micro=False).svg_inline(
        border=4, omitsize=True, dark="#000", light="#fff", svgclass="qr", lineclass=None, unit=None
    )
    return Markup(drawn)  # noqa: S704 - made of numbers by segno; the text is not in it

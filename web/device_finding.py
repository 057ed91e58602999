"""The device that an address names, if whoever asks may see it."""

from aiohttp import web
from psycopg import AsyncConnection

from web import device_store
from web.device_store import DeviceRow
from web.errors import Refusal
from web.house import now_of
from web.session import account_of


async def device_or_404(conn: AsyncConnection, request: web.Request) -> DeviceRow:
    """Return the device of the address, or refuse it as if there were none."""
    match = request.match_info
    shown = await device_store.device(
        conn, match["community"], match["code"], account_of(request).communities, now_of(request)
    )
    if shown is None:
        raise Refusal(404)
    return shown

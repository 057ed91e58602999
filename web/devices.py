"""The devices: a list with the worst first. What a device's own page shows is in `device_page`."""

from typing import Final

from aiohttp import web

from web import device_chart, device_letters, device_page, device_store
from web.access import OFFICE, require
from web.house import house_of, now_of
from web.render import page
from web.session import account_of

# From here on somebody should think of bringing a battery.
LOW_BATTERY: Final = 20


def routes() -> list[web.RouteDef]:
    """Return the routes of the device pages."""
    return [
        web.get("/devices", devices),
        *device_page.routes(),
        *device_chart.routes(),
        *device_letters.routes(),
    ]


@require(*OFFICE)
async def devices(request: web.Request) -> web.StreamResponse:
    """List the devices that fit the words searched for, or only those with a problem."""
    words = request.query.get("q", "").replace("\0", "").strip()
    troubled = request.query.get("show") == "problems"
    account = account_of(request)
    async with house_of(request).pool.connection() as conn:
        found = await device_store.search_devices(
            conn, account.communities, words, now_of(request), troubled=troubled
        )
        shown = found[: device_store.MOST_DEVICES]
        batteries = await device_store.batteries(conn, shown)
    return page(
        request,
        "device/list.html",
        {
            "devices": shown,
            "batteries": batteries,
            "low_battery": LOW_BATTERY,
            "more": len(found) > len(shown),
            "q": words,
            "troubled": troubled,
            "many_communities": len(account.communities) > 1,
        },
    )

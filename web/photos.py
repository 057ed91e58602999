"""A photo as it is sent to those who may see it."""

from aiohttp import hdrs, web

from dispatch.store import Photo


def send(photo: Photo) -> web.Response:
    """Answer with a photo: kept by this reader's browser only, and unable to do anything but be looked at."""
    return web.Response(
        body=photo.content,
        content_type=photo.mime,
        headers={
            hdrs.CACHE_CONTROL: "private, max-age=600",
            hdrs.VARY: "Cookie",
            "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
        },
    )

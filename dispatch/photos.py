"""Photos of the work: verified, turned upright, stripped of location, made small."""

import hashlib
import struct
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from PIL import Image, ImageOps
from psycopg import AsyncConnection

from config.text import Text
from dispatch import notices
from dispatch.moving import only_holder
from dispatch.people import By
from dispatch.policy import PhotoLimits, Policy, shipped_policy
from dispatch.refusals import BadPhoto, IllegalMove, NoSuchOrder
from dispatch.status import HELD
from dispatch.store import orders, photographs

FORMATS = ("JPEG", "PNG", "WEBP")
# Everything Pillow raises for a file that lies about being a picture.
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    OverflowError,
    struct.error,
    EOFError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A photo as it is kept."""

    sha256: str
    mime: str
    content: bytes


def prepare(content: bytes, limits: PhotoLimits | None = None) -> Prepared:
    """Check a photo and make it small. Pure, but slow: run it beside the event loop. May raise BadPhoto.

    Do it before taking a connection, which others would have to wait for meanwhile.
    """
    limits = limits or shipped_policy().photos
    if len(content) > limits.largest_bytes:
        size, most = len(content) // 1_000_000, limits.largest_bytes // 1_000_000
        raise BadPhoto(
            Text(zh=f"照片 {size} MB，最大 {most} MB", en=f"the photo has {size} MB; {most} MB at most")
        )
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            if image.width * image.height > limits.largest_pixels:
                raise BadPhoto(
                    Text(
                        zh=f"照片 {image.width}×{image.height} 像素过大",
                        en=f"the photo has {image.width}×{image.height} pixels, which is too many",
                    )
                )
            image.draft("RGB", (limits.side, limits.side))
            upright = ImageOps.exif_transpose(image).convert("RGB")
            upright.thumbnail((limits.side, limits.side))
    except _BROKEN as error:
        raise BadPhoto(
            Text(zh="不是可读取的 JPEG、PNG 或 WebP 照片", en="not a readable JPEG, PNG or WebP photo")
        ) from error
    upright.info.clear()  # no EXIF, no comment, no colour profile: nothing but the picture
    kept = BytesIO()
    upright.save(kept, "JPEG", quality=limits.quality, optimize=True)
    return Prepared(hashlib.sha256(kept.getvalue()).hexdigest(), "image/jpeg", kept.getvalue())


async def add(
    conn: AsyncConnection,
    order_id: int,
    by: By,
    photo: Prepared,
    now: datetime,
    policy: Policy | None = None,
) -> str:
    """Keep a photo with the order; its sha256. The same photo twice is kept once. May raise BadPhoto."""
    limits = (policy or shipped_policy()).photos
    async with conn.transaction():
        order = await orders.lock(conn, order_id)
        if order is None:
            raise NoSuchOrder(order_id)
        only_holder(order, by)
        if order.status not in HELD:
            raise IllegalMove(order_id, order.status, order.status)
        kept = await photographs.of_order(conn, order_id)
        if photo.sha256 not in kept and len(kept) >= limits.most:
            raise BadPhoto(
                Text(
                    zh=f"每张工单最多 {limits.most} 张照片", en=f"an order takes at most {limits.most} photos"
                )
            )
        await photographs.keep(conn, order_id, photo.sha256, photo.mime, photo.content, now)
        await notices.order_changed(conn, order)
    return photo.sha256

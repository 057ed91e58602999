"""Photos of the work: verified, turned upright, stripped of location, made small."""

from datetime import datetime

from psycopg import AsyncConnection

from dispatch.people import By


async def add(conn: AsyncConnection, order_id: int, by: By, content: bytes, now: datetime) -> str:
    """Keep a photo with the order; its sha256. The same photo twice is kept once. May raise BadPhoto."""
    raise NotImplementedError

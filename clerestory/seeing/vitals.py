"""How one process is asked for its figures, and whether it is alive and ready."""

from clerestory.seeing.exposition import Exposition
from clerestory.seeing.house import HouseFigures, house_metrics
from clerestory.seeing.readiness import Readiness
from clerestory.site import Site
from web.vitals import Vitals


def vitals_of(site: Site, *, near: bool) -> Vitals:
    """Put it together. Where a worker runs, the figures of the whole house are told with its own."""
    readiness, exposition, figures = Readiness(site), Exposition(site.watch, site.pool), HouseFigures(site)

    async def metrics() -> bytes:
        house = house_metrics(await figures.read()) if "worker" in site.watch.roles else ()
        return exposition.text(house)

    return Vitals(readiness.alive, readiness.parts, metrics, site.settings.metrics_token, near)

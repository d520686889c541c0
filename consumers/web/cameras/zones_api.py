"""`/api/v1/zones…`: named zones, and which rules hold in them."""

from typing import Annotated

from fastapi import APIRouter, Body, Path

from consumers.access.roles import LOOK, WRITE_RULES
from consumers.web.cameras.shapes import RuleInZoneShape, ZoneChangeShape, ZoneShape
from consumers.web.cameras.zones import Zones
from consumers.web.who import Who, needs
from streamer.bus.messages import CAMERA_PATTERN

ZoneName = Annotated[str, Path(pattern=CAMERA_PATTERN)]  # a zone is called like a camera or a rule


def zones_router(zones: Zones) -> APIRouter:
    """The zones; what can go wrong is what can go wrong with rules."""
    router = APIRouter()

    @router.get("/zones", dependencies=[needs(LOOK)])
    def every() -> tuple[ZoneShape, ...]:
        return zones.all()

    @router.put("/zones/{zone}", dependencies=[needs(WRITE_RULES)], status_code=204)
    def put(zone: ZoneName, asked: Annotated[ZoneChangeShape, Body()], who: Who) -> None:
        zones.put(zone, asked.cameras, asked.polygon, by=who.name)

    @router.delete("/zones/{zone}", dependencies=[needs(WRITE_RULES)], status_code=204)
    def remove(zone: ZoneName, who: Who) -> None:
        zones.remove(zone, by=who.name)

    @router.put("/zones/{zone}/rules/{rule_id}", dependencies=[needs(WRITE_RULES)], status_code=204)
    def set_rule(zone: ZoneName, rule_id: str, asked: Annotated[RuleInZoneShape, Body()], who: Who) -> None:
        zones.set_rule(zone, rule_id, is_in=asked.is_in, by=who.name)

    return router

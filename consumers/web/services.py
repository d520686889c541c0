"""What the rooms of the page ask, and what they act by."""

from dataclasses import dataclass, field

from consumers.access.access import Access
from consumers.web.alerts.acting import AlertActs
from consumers.web.alerts.board import AlertBoard
from consumers.web.alerts.frames import Frames
from consumers.web.cameras.cameras_desk import CamerasDesk
from consumers.web.cameras.zones import Zones
from consumers.web.desk import Desk
from consumers.web.exports.exports import Exports
from consumers.web.plays import Plays
from consumers.web.rules.rules_desk import RulesDesk
from consumers.web.search.asking import Asking
from consumers.web.search.kept_pictures import KeptPictures
from consumers.web.search.saved import SavedSearches
from consumers.web.system.system_desk import SystemDesk


@dataclass(frozen=True, slots=True)
class Services:
    """What the rooms ask and what they act by."""

    desk: Desk
    board: AlertBoard
    acts: AlertActs
    access: Access
    rules: RulesDesk
    asking: Asking
    saved: SavedSearches
    exports: Exports
    frames: Frames
    plays: Plays
    cameras: CamerasDesk
    zones: Zones
    system: SystemDesk
    pictures: KeptPictures = field(default_factory=KeptPictures)

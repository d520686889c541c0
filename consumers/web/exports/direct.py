"""An export without the page: straight into a file, for the command line."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from consumers.access.access import Access
from consumers.alerts.desk_database import DeskDatabase
from consumers.errors import ExportError
from consumers.indexer.people import PeopleReader
from consumers.search.client import SearchClient
from consumers.settings import PageSettings
from consumers.web.desk import Desk
from consumers.web.exports.packing import Packed, Packer
from consumers.web.exports.record import Export
from consumers.web.time_zone import zone_of
from streamer.bus.media_opening import open_media


def export_people(settings: PageSettings, person_ids: Sequence[str], path: Path, *, who: str) -> Packed:
    """Pack people into the ZIP at `path`; whom it is of, and its digest, go into the audit log as the page's do.

    Raises:
        ExportError: There is something at `path` already, or it cannot be written.
        PeopleTableError, DeskError: Table or log cannot be used.
    """
    if path.exists():
        raise ExportError(f"{path} is there already; choose another name")
    people, media = PeopleReader(settings.database_url), open_media(settings)
    access, now = Access(DeskDatabase(settings.desk_url)), datetime.now(UTC)
    desk = Desk(SearchClient(settings.search.url, token=settings.search.shown_token), people, media, access)
    access.log(who, "export", str(path), people=list(person_ids), note="")
    known = [desk.person(person_id) for person_id in person_ids]
    gone = tuple(person_id for person_id, person in zip(person_ids, known, strict=True) if person is None)
    export = Export(settings.page.site_name, who, now, zone_of(settings.page.time_zone), "", (), gone)
    try:
        packed = Packer(path, media, now).pack(export, [person for person in known if person is not None])
    except ExportError:
        path.unlink(missing_ok=True)
        raise
    access.log(who, "exported", str(path), sums_sha256=packed.sums_sha256)
    people.close()
    access.close()
    return packed

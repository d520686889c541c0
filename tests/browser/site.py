"""Runs the page over a folder that a test has filled: `python -m tests.browser.site FOLDER PORT [WORD…]`.

`demo`: it says that it is one. `alone`: no indexer answers searches. `slow`: the page asks what is new once an hour.
`bus=ADDRESS`: the broker over which streamers report.
"""

import sys
from importlib.resources import files
from pathlib import Path
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from consumers.alerts.desk_database import DeskDatabase
from consumers.indexer.people import PeopleReader
from consumers.search.client import SearchClient
from consumers.web.api import create_api
from consumers.web.cameras.cameras_desk import Watched
from consumers.web.cameras.hearing import BusReports
from consumers.web.page import create_page
from consumers.web.rooms.room import PageLook
from consumers.web.serve import serve
from streamer.bus.client import Bus
from streamer.bus.media import MediaStore
from tests.builders_alerts import installation, rules_desk, watched
from tests.builders_filtering import FilteringSearch


def build(folder: Path, told: list[str]) -> FastAPI:
    people = PeopleReader(f"sqlite:///{folder / 'people.sqlite3'}")
    search = SearchClient("http://127.0.0.1:9", timeout_s=1) if "alone" in told else FilteringSearch(people)
    desk, media = DeskDatabase(f"sqlite:///{folder / 'desk.sqlite3'}"), MediaStore(str(folder / "media"))
    broker = next((words.removeprefix("bus=") for words in told if words.startswith("bus=")), "")
    about = installation(folder, broker) if broker else installation(folder)
    rules = rules_desk(folder, people, media, desk)
    api = create_api(search, people, media, desk, rules, _watched(folder, broker), about)
    look = PageLook("North Yard", _zone(), is_demo="demo" in told)
    create_page(api, look, ask_every_s=3600.0 if "slow" in told else 1.0)
    return api


def _zone() -> ZoneInfo:
    """Berlin's, without a name that anybody knows: as a page that is told no zone reads it from its machine."""
    with (files("tzdata.zoneinfo.Europe") / "Berlin").open("rb") as file:
        return ZoneInfo.from_file(file, key="the machine's")


def _watched(folder: Path, broker: str) -> Watched:
    if not broker:
        return watched(folder)
    reports = BusReports(Bus(broker, partitions=1, client_id="page", timeout_s=2))
    reports.start()
    return watched(folder, reports)


if __name__ == "__main__":
    folder, port, *told = sys.argv[1:]
    serve(lambda: build(Path(folder), told), "127.0.0.1", int(port))

"""Runs the page over a folder that a test has filled: `python -m tests.browser.site FOLDER PORT [demo]`."""

import sys
from pathlib import Path
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from consumers.indexer.people import PeopleReader
from consumers.web.api import create_api
from consumers.web.page import create_page
from consumers.web.rooms.room import PageLook
from consumers.web.serve import serve
from streamer.bus.media import MediaStore
from tests.builders_web import CaptionSearch


def build(folder: Path, *, is_demo: bool) -> FastAPI:
    people = PeopleReader(f"sqlite:///{folder / 'people.sqlite3'}")
    api = create_api(CaptionSearch(people), people, MediaStore(str(folder / "media")))
    create_page(api, PageLook("North Yard", ZoneInfo("Europe/Berlin"), is_demo=is_demo))
    return api


if __name__ == "__main__":
    serve(lambda: build(Path(sys.argv[1]), is_demo="demo" in sys.argv), "127.0.0.1", int(sys.argv[2]))

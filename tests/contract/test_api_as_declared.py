"""The whole API against its own OpenAPI document: whatever is asked, nothing breaks and answers are as declared."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import booleans
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from consumers.alerts.desk_database import DeskDatabase
from consumers.indexer.people import PeopleTable
from streamer.bus.media import MediaStore
from tests.builders_alerts import api_over, enter_alert
from tests.builders_search import Searched
from tests.builders_web import HAT, Walk, enter_segment, panned_clip, sure

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
BOX = (64.0, 48.0, 128.0, 240.0)
EXAMPLES = 60  # of each endpoint; the same at every run


@dataclass
class Ids:
    person_id: str
    segment_id: str
    alert_id: str


@pytest.fixture(scope="module")
def desk_of_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FastAPI, Ids]]:
    folder = tmp_path_factory.mktemp("api")
    searched = Searched(folder)
    store = MediaStore(str(folder / "media"))
    clip = panned_clip(np.full((480, 640, 3), 90, np.uint8), folder / "grey.mp4", seconds=1)
    table: PeopleTable = searched.table
    crop = np.full((80, 40, 3), 120, np.uint8)
    walks = [Walk([(0.1, BOX), (0.5, BOX)], crop, "worker in an orange vest", sure(HAT, "yes"))]
    manifest = enter_segment(store, table, clip, walks, camera="gate")
    desk = DeskDatabase(f"sqlite:///{folder / 'desk.sqlite3'}")
    alert_id = enter_alert(desk, manifest)
    with searched.served() as (client, _):
        api = api_over(client, table, store, desk, folder)
        yield api, Ids(manifest.people[0].person_id, manifest.segment_id, alert_id)
        api.state.access.close()
    desk.close()
    table.close()


@pytest.mark.timeout(300)
def test_every_answer_is_as_declared(desk_of_api: tuple[FastAPI, Ids]) -> None:
    api, ids = desk_of_api
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", api)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 25
    failures = [failure for operation in operations if (failure := first_failure(operation, ids)) is not None]
    assert not failures, "\n\n".join(failures)


def first_failure(operation: APIOperation, ids: Ids) -> str | None:
    """What one endpoint answers otherwise than declared; half of the requests ask for what is there."""
    known = {"person_id": ids.person_id, "alert_id": ids.alert_id, "search_id": 1}

    @given(case=operation.as_strategy(), is_known=booleans())
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Case, is_known: bool) -> None:
        if is_known:
            case.path_parameters = {
                name: known.get(name, value) for name, value in (case.path_parameters or {}).items()
            }
        case.call_and_validate(checks=CHECKS)

    try:
        ask()
    except Exception as failure:  # noqa: BLE001  whatever escapes an endpoint is what is looked for
        told = failure.exceptions if isinstance(failure, BaseExceptionGroup) else [failure]
        return f"{operation.label}: " + "; ".join(str(one)[:1500] for one in told)
    return None

"""What can be exported, and how an export stands. Pure."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from consumers.web.schemas import Shape

MOST_PEOPLE = 200  # in one export
State = Literal["waiting", "packing", "ready", "failed"]


class ExportAsked(BaseModel):
    """People to be exported, in the order in which the report shall have them."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [{"person_ids": ["0b6e…"]}]})
    person_ids: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=100)], ...], Field(min_length=1, max_length=MOST_PEOPLE)
    ] = Field(description="Each once; named twice, they are exported once.")
    note: Annotated[str, Field(max_length=1000)] = Field("", description="Stands in the report and in the audit log.")
    time_zone: Annotated[str, Field(max_length=64)] = Field("UTC", description="Zone of the report's times.")


class ExportShape(Shape):
    """An export: built in the background, kept for an hour."""

    export_id: str
    state: State
    people: int
    packed: int = Field(description="People who are packed already.")
    missing: int = Field(description="Files and people that were not there any more; the report names each.")
    size_bytes: int | None = Field(description="Of the archive, once it is ready.")
    sums_sha256: str | None = Field(description="Digest of the archive's SHA256SUMS; the audit log has it too.")
    problem: str | None = Field(description="Why it failed.")
    url: str | None = Field(description="Where the archive is, once it is ready.")
    created_at: datetime

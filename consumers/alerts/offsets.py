"""How far the desk has come in each partition: kept in the desk itself, whatever a consumer group remembers."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from consumers.alerts.schema import InputOffsetRecord
from streamer.bus.client import TopicPartition

NOWHERE, NOBODY = "", ""  # an incarnation that no broker has, an owner that no alerter is


def offset_of(session: Session, place: TopicPartition, incarnation: str) -> int:
    """Where to go on in a partition; 0 where the desk has seen nothing of this incarnation."""
    row = session.get(InputOffsetRecord, tuple(place))
    return row.offset if row is not None and row.incarnation == incarnation else 0


def take_place(session: Session, place: TopicPartition, owner: str) -> bool:
    """Take a partition's row for this transaction; false when another owner wrote it last, or nobody did."""
    row = session.scalar(
        select(InputOffsetRecord)
        .where(InputOffsetRecord.topic == place.topic, InputOffsetRecord.partition == place.partition)
        .with_for_update()
    )
    if row is None:
        session.add(
            InputOffsetRecord(topic=place.topic, partition=place.partition, incarnation=NOWHERE, offset=0, owner=owner)
        )
        session.flush()
        return False
    is_ours = row.owner == owner
    row.owner = owner
    return is_ours


def raise_offset(session: Session, place: TopicPartition, incarnation: str, offset: int) -> None:
    """Note that everything before `offset` is done; within one incarnation an offset never falls."""
    row = session.get(InputOffsetRecord, tuple(place), populate_existing=True)
    if row is None:
        row = InputOffsetRecord(topic=place.topic, partition=place.partition, owner=NOBODY)
        row.incarnation, row.offset = incarnation, offset
        session.add(row)
    elif row.incarnation != incarnation or row.offset < offset:
        row.incarnation, row.offset = incarnation, offset

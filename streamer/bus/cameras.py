"""Which partition each camera's messages travel on: decided once, kept in the ledger's database.

Hashing camera names onto a few partitions is lopsided, so a new camera gets the partition with the fewest cameras, the
same number on every topic.
"""

from pathlib import Path

from sqlalchemy import Engine, Integer, MetaData, String, create_engine, event, func, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry

BUSY_S = 10.0  # how long one writer waits for another


class CameraTables(DeclarativeBase):
    """The tables of this file."""


class Camera(CameraTables):
    """One camera and its partition."""

    __tablename__ = "cameras"

    camera_id: Mapped[str] = mapped_column(String, primary_key=True)
    partition: Mapped[int] = mapped_column(Integer)


def open_database(path: Path) -> Engine:
    """The SQLite database at `path`, made when missing: readers never block the writer, and a lock is waited for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_S})
    event.listen(engine, "connect", _use_wal)
    return engine


def make_tables(engine: Engine, tables: MetaData) -> None:
    """Make the tables that are missing; several processes may meet an empty database at once."""
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        tables.create_all(connection)


class CameraTable:
    """The camera table in the database behind `engine`."""

    def __init__(self, engine: Engine, *, partitions: int) -> None:
        """Use `engine`; make the table when it is missing."""
        self._engine, self._partitions = engine, partitions
        make_tables(engine, CameraTables.metadata)

    def partition_of(self, camera_id: str) -> int:
        """The camera's partition, 0 up to the count of partitions; the same for good once it was asked for."""
        with Session(self._engine) as session, session.begin():
            session.connection().exec_driver_sql("BEGIN IMMEDIATE")  # two processes may meet a new camera at once
            camera = session.get(Camera, camera_id)
            if camera is not None and camera.partition < self._partitions:
                return camera.partition
            chosen = self._emptiest(session)
            session.merge(Camera(camera_id=camera_id, partition=chosen))
            return chosen

    def _emptiest(self, session: Session) -> int:
        rows = session.execute(select(Camera.partition, func.count()).group_by(Camera.partition)).all()
        counts: dict[int, int] = {row[0]: row[1] for row in rows}
        return min(range(self._partitions), key=lambda partition: (counts.get(partition, 0), partition))


def _use_wal(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    del record
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()

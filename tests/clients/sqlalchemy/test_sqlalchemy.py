"""SQLAlchemy over three drivers: its start-up queries, reflection, and the ORM."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Engine,
    Enum,
    ForeignKey,
    Index,
    MetaData,
    Numeric,
    String,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from harness.endpoint import Endpoint


class Base(DeclarativeBase):
    """What the tests map."""


class Author(Base):
    __tablename__ = "author"
    __table_args__ = (CheckConstraint("length(name) > 0", name="named"), {"comment": "who writes"})

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    key: Mapped[UUID] = mapped_column(default=uuid4)
    kind: Mapped[str] = mapped_column(Enum("staff", "guest", name="author_kind"))
    tags: Mapped[list[str]] = mapped_column(ARRAY(String))
    extra: Mapped[dict] = mapped_column(JSONB)
    articles: Mapped[list["Article"]] = relationship(back_populates="author", cascade="all, delete-orphan")


class Article(Base):
    __tablename__ = "article"
    __table_args__ = (Index("article_by_title", "title", postgresql_where=text("price > 0")),)

    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id", name="written_by", ondelete="CASCADE"))
    title: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2), server_default="0")
    written: Mapped[datetime] = mapped_column(server_default=func.now(), type_=None)
    author: Mapped[Author] = relationship(back_populates="articles")


@pytest.fixture(params=["psycopg", "psycopg2"])
def engine(endpoint: Endpoint, schema: str, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine whose connections look into the file's own, empty schema."""
    made = create_engine(endpoint.url(f"postgresql+{request.param}"), pool_size=2)

    @event.listens_for(made, "connect", insert=True)
    def set_search_path(connection: object, _: object) -> None:
        before, connection.autocommit = connection.autocommit, True
        connection.cursor().execute(f"SET search_path TO {schema}")
        connection.autocommit = before

    Base.metadata.create_all(made)
    yield made
    Base.metadata.drop_all(made)
    made.dispose()


def sample() -> Author:
    return Author(
        name="Ada",
        kind="staff",
        tags=["a", 'b"'],
        extra={"n": [1, None]},
        articles=[Article(title="one", price=Decimal("1.50")), Article(title="two")],
    )


def test_objects_round_trip(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(sample())
        session.commit()
    with Session(engine) as session:
        author = session.scalars(select(Author).where(Author.name == "Ada")).one()
        assert (author.kind, author.tags, author.extra) == ("staff", ["a", 'b"'], {"n": [1, None]})
        assert [(a.title, a.price) for a in sorted(author.articles, key=lambda a: a.id)] == [
            ("one", Decimal("1.50")),
            ("two", Decimal("0.00")),
        ]
        session.delete(author)
        session.commit()
        assert session.scalar(select(func.count()).select_from(Article)) == 0


def test_savepoint_keeps_the_outer_transaction(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(sample())
        session.flush()
        with pytest.raises(IntegrityError), session.begin_nested():
            session.add(sample())
            session.flush()
        session.commit()
        assert session.scalar(select(func.count()).select_from(Author)) == 1


def test_bulk_insert_returns_keys_in_order(engine: Engine) -> None:
    with Session(engine) as session:
        rows = [{"name": f"n{i}", "kind": "guest", "tags": [], "extra": {}, "key": uuid4()} for i in range(2500)]
        names = session.execute(insert(Author).returning(Author.name, sort_by_parameter_order=True), rows).scalars()
        assert list(names) == [row["name"] for row in rows]


def test_upsert(engine: Engine) -> None:
    with engine.begin() as connection:
        row = {"name": "x", "kind": "guest", "tags": [], "extra": {}, "key": uuid4()}
        statement = upsert(Author).values(row).on_conflict_do_update(index_elements=["name"], set_={"kind": "staff"})
        kinds = [connection.execute(statement.returning(Author.kind)).scalar_one() for _ in range(2)]
        assert kinds == ["guest", "staff"]


def test_reflection_finds_what_was_declared(engine: Engine, schema: str) -> None:
    found = inspect(engine)
    assert set(found.get_table_names()) == {"author", "article"}
    assert found.get_table_comment("author") == {"text": "who writes"}
    assert [c["name"] for c in found.get_columns("author")] == ["id", "name", "key", "kind", "tags", "extra"]
    assert found.get_pk_constraint("author")["constrained_columns"] == ["id"]
    assert [c["name"] for c in found.get_check_constraints("author")] == ["named"]
    assert [c["column_names"] for c in found.get_unique_constraints("author")] == [["name"]]
    [key] = found.get_foreign_keys("article")
    assert (key["name"], key["referred_table"], key["options"]) == ("written_by", "author", {"ondelete": "CASCADE"})
    [index] = found.get_indexes("article")
    assert (index["name"], index["column_names"]) == ("article_by_title", ["title"])
    assert [e["labels"] for e in found.get_enums(schema)] == [["staff", "guest"]]
    assert schema in found.get_schema_names()
    reflected = MetaData()
    reflected.reflect(engine)
    assert set(reflected.tables) == {"author", "article"}


def test_reflection_of_many_tables_at_once(engine: Engine) -> None:
    metadata = MetaData()
    metadata.reflect(engine, schema="information_schema", views=True)
    assert "information_schema.columns" in metadata.tables


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"])
def test_isolation_levels(engine: Engine, level: str) -> None:
    with engine.connect().execution_options(isolation_level=level) as connection:
        assert connection.scalar(text("SELECT 1")) == 1
        expected = "READ COMMITTED" if level == "AUTOCOMMIT" else level
        assert connection.scalar(text("SHOW transaction_isolation")).upper() == expected


def test_server_side_cursor(engine: Engine) -> None:
    with engine.connect().execution_options(stream_results=True, max_row_buffer=100) as connection:
        assert sum(connection.scalars(text("SELECT generate_series(1, 10000)"))) == 50_005_000


def test_two_phase_transaction(engine: Engine) -> None:
    with engine.connect() as connection:
        transaction = connection.begin_twophase()
        connection.execute(text("INSERT INTO author (name, key, kind, tags, extra) VALUES ('t', gen_random_uuid(), 'guest', '{}', '{}')"))
        transaction.prepare()
        transaction.commit()
        assert connection.scalar(select(func.count()).select_from(Author)) == 1


async def test_async_engine_over_asyncpg(endpoint: Endpoint, schema: str) -> None:
    settings = {"server_settings": {"search_path": schema}}
    engine = create_async_engine(endpoint.url("postgresql+asyncpg"), connect_args=settings)
    defining = engine.execution_options(isolation_level="AUTOCOMMIT")
    async with defining.connect() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with engine.begin() as connection:
        await connection.execute(insert(Author).values(name="z", kind="guest", tags=["t"], extra={"a": 1}))
    async with engine.connect() as connection:
        row = (await connection.execute(select(Author.name, Author.tags, Author.extra))).one()
        assert tuple(row) == ("z", ["t"], {"a": 1})
        now = await connection.scalar(text("SELECT now()"))
        assert abs((datetime.now(UTC) - now).total_seconds()) < 60
    async with defining.connect() as connection:
        await connection.run_sync(Base.metadata.drop_all)
    await engine.dispose()

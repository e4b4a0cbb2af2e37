"""Where a PostgreSQL endpoint is, and how it travels between processes: in environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass

#: The endpoint under test, and the plain PostgreSQL that says what is right.
UNDER_TEST = "HERD_TEST"
ORACLE = "HERD_ORACLE"


@dataclass(frozen=True)
class Endpoint:
    """One PostgreSQL-speaking address with somebody who may log in."""

    host: str
    port: int
    user: str = "herd"
    password: str = "herd"
    dbname: str = "herd"

    @staticmethod
    def from_environment(prefix: str = UNDER_TEST) -> Endpoint | None:
        """The endpoint that `PREFIX_HOST`, `PREFIX_PORT`, … name, if any does."""
        if f"{prefix}_PORT" not in os.environ:
            return None
        return Endpoint(
            host=os.environ.get(f"{prefix}_HOST", "127.0.0.1"),
            port=int(os.environ[f"{prefix}_PORT"]),
            user=os.environ.get(f"{prefix}_USER", "herd"),
            password=os.environ.get(f"{prefix}_PASSWORD", "herd"),
            dbname=os.environ.get(f"{prefix}_DBNAME", "herd"),
        )

    def environment(self, prefix: str = UNDER_TEST) -> dict[str, str]:
        """The variables from which `from_environment` reads this endpoint back."""
        return {
            f"{prefix}_HOST": self.host,
            f"{prefix}_PORT": str(self.port),
            f"{prefix}_USER": self.user,
            f"{prefix}_PASSWORD": self.password,
            f"{prefix}_DBNAME": self.dbname,
        }

    def libpq_environment(self) -> dict[str, str]:
        """The environment of a libpq program (psql, pgbench, pg_dump) that connects here."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        return inherited | {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.dbname,
            "PGCONNECT_TIMEOUT": "10",
        }

    def parameters(self) -> dict[str, object]:
        """Keyword arguments that psycopg and psycopg2 connect with."""
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "dbname": self.dbname,
            "connect_timeout": 10,
        }

    def url(self, scheme: str = "postgresql") -> str:
        return f"{scheme}://{self.user}:{self.password}@{self.host}:{self.port}/{self.dbname}"

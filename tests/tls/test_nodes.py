"""Every connection to a node is encrypted when the configuration says so: the sessions' and Herd's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from harness.herd import Serve
from harness.postgres import Postgres
from harness.process import wait_until

from .conftest import Authority


@pytest.fixture
def herd(scratch: Path, encrypted_node: Postgres, authority: Authority) -> Iterator[Serve]:
    settings = f'tls = true\ntls_authority = "{authority.certificate}"\n'
    with Serve(scratch / "herd-before-tls", encrypted_node.endpoint, settings) as running:
        yield running


def test_a_node_that_demands_tls_is_served(herd: Serve, encrypted_node: Postgres) -> None:
    with psycopg.connect(**herd.endpoint.parameters(), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS cut (id int PRIMARY KEY) PARTITION BY HASH (id) WITH (herd.fragments = 2)")
        connection.execute("SELECT 1")
        with psycopg.connect(**encrypted_node.endpoint.parameters()) as direct:
            rows = direct.execute("SELECT application_name, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_port IS NOT NULL").fetchall()
    assert "herd control" in [name for name, _ in rows]
    assert all(encrypted for _, encrypted in rows)


def test_a_node_with_a_strange_certificate_is_not_believed(scratch: Path, encrypted_node: Postgres, authority: Authority) -> None:
    stranger, _ = authority.sign("stranger")
    settings = f'tls = true\ntls_authority = "{stranger}"\n[[auth.users]]\nname = "herd"\npassword = "herd"\n'
    with Serve(scratch / "herd-deceived", encrypted_node.endpoint, settings) as herd:
        wait_until(lambda: "a node does not answer" in herd.log.read_text(), 20, "the node is down")
        assert "certificate" in herd.log.read_text()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(**herd.endpoint.parameters())

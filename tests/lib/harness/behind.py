"""Where the rows lie that Herd shows: its nodes, as Herd itself tells."""

from __future__ import annotations

from dataclasses import replace

import psycopg

from harness.endpoint import Endpoint


def nodes_behind(endpoint: Endpoint) -> list[Endpoint]:
    """The nodes behind Herd, the home node first, for looking behind its back."""
    with psycopg.connect(**endpoint.parameters(), autocommit=True) as connection:
        cursor = connection.execute("SHOW NODES")
        names = [column.name for column in cursor.description or ()]
        found = [dict(zip(names, row, strict=True)) for row in cursor]
    found.sort(key=lambda node: node["home"] not in (True, "t", "true"))
    return [replace(endpoint, host=node["host"], port=int(node["port"])) for node in found]

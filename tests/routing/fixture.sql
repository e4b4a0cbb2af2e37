-- The same tables for both servers. What only Herd understands, WITH (herd.…) and PARTITION BY HASH without
-- partitions, is taken away for plain PostgreSQL.

CREATE TYPE standing AS ENUM ('new', 'known', 'trusted');

CREATE TABLE users (
  uid bigint PRIMARY KEY, region text NOT NULL, name text, age int, score numeric, born date,
  standing standing DEFAULT 'new', tags text[], extra jsonb
) PARTITION BY HASH (uid) WITH (herd.fragments = 8);

CREATE TABLE orders (
  user_id bigint NOT NULL, id int NOT NULL, amount numeric(12, 2), note text, placed timestamptz,
  PRIMARY KEY (user_id, id)
) PARTITION BY HASH (user_id) WITH (herd.fragments = 8);

CREATE TABLE docs (key text PRIMARY KEY, body text, size int) PARTITION BY HASH (key) WITH (herd.fragments = 6);

CREATE TABLE parts (
  tenant int NOT NULL, doc text NOT NULL, part int, PRIMARY KEY (tenant, doc)
) PARTITION BY HASH (tenant, doc) WITH (herd.fragments = 6);

CREATE TABLE events (at date NOT NULL, id int NOT NULL, kind text, PRIMARY KEY (at, id))
  PARTITION BY RANGE (at) WITH (herd.fragmented = true);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') WITH (herd.node = 'n1');
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') WITH (herd.node = 'n2');
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO (MAXVALUE) WITH (herd.node = 'n3');

CREATE TABLE ranks (granularity text NOT NULL, day date NOT NULL, aids bigint[], PRIMARY KEY (granularity, day))
  PARTITION BY LIST (granularity) WITH (herd.fragmented = true);
CREATE TABLE ranks_daily PARTITION OF ranks FOR VALUES IN ('daily') WITH (herd.node = 'n1');
CREATE TABLE ranks_longer PARTITION OF ranks FOR VALUES IN ('weekly', 'monthly') WITH (herd.node = 'n2');

CREATE TABLE country (code text PRIMARY KEY, name text, rank int) WITH (herd.reference = true);

CREATE TABLE settings (id int PRIMARY KEY, name text UNIQUE, value text);

INSERT INTO settings SELECT i, 'setting ' || i, CASE WHEN i % 3 = 0 THEN NULL ELSE 'value ' || i END FROM generate_series(1, 20) i;

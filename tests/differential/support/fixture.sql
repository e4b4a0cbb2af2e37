-- nodes: 3

CREATE TYPE standing AS ENUM ('new', 'known', 'trusted');
CREATE TABLE users (
  uid bigint PRIMARY KEY,
  name text,
  age int,
  score numeric(12,2),
  standing standing DEFAULT 'new'
) PARTITION BY HASH (uid) WITH (herd.fragments = 6);
CREATE TABLE orders (
  uid bigint NOT NULL,
  id int NOT NULL,
  amount numeric(12,2),
  note text,
  PRIMARY KEY (uid, id)
) PARTITION BY HASH (uid) WITH (herd.fragments = 6);
CREATE TABLE events (
  at date NOT NULL,
  id int NOT NULL,
  kind text,
  PRIMARY KEY (at, id)
) PARTITION BY RANGE (at) WITH (herd.fragmented = true);
CREATE TABLE events_old PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('2026-01-01') WITH (herd.node = 'n1');
CREATE TABLE events_new PARTITION OF events FOR VALUES FROM ('2026-01-01') TO (MAXVALUE) WITH (herd.node = 'n2');
CREATE TABLE country (
  code text PRIMARY KEY,
  name text,
  rank int
) WITH (herd.reference = true);
CREATE TABLE settings (
  id int PRIMARY KEY,
  name text UNIQUE,
  value text
);

COPY users FROM STDIN;
1	one	30	1.50	new
2	two	31	2.50	known
3	three	30	3.50	trusted
4	four	\N	4.50	new
5	five	40	\N	known
6	six	45	6.50	new
7	\N	30	7.50	trusted
8	eight	51	8.50	new
\.

COPY orders FROM STDIN;
1	1	10.00	a
1	2	20.00	b
2	1	5.00	\N
3	1	7.50	c
5	1	1.00	a
6	1	2.00	b
6	2	3.00	c
8	1	99.00	\N
\.

COPY events FROM STDIN;
2025-03-01	1	a
2025-07-01	2	b
2026-02-01	3	a
2026-05-01	4	\N
\.

COPY country FROM STDIN;
cz	Czechia	1
jp	Japan	2
pe	Peru	3
\.

COPY settings FROM STDIN;
1	one	x
2	two	\N
3	three	z
\.

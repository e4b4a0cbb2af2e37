-- The transaction fails before any node has heard of it.
-- nodes: 3

CREATE TABLE numbered (
  k int PRIMARY KEY,
  a text
) PARTITION BY HASH (k) WITH (herd.fragments = 3);

COPY numbered FROM STDIN;
1	x
2	y
\.

BEGIN;

SELECT count(*) + 1 / (count(*) - 2) FROM numbered;

ROLLBACK TO s1;

-- run: extended
RELEASE s1;

ROLLBACK;

BEGIN;

-- run: extended
SELECT k FROM numbered UNION SELECT a FROM numbered;

-- run: extended
ROLLBACK TO s1;

ROLLBACK;

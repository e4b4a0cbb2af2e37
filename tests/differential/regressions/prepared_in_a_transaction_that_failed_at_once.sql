-- A statement was prepared in it, on a node that knew of no transaction, and from then on there was none.
-- nodes: 3

CREATE TABLE numbered (
  k int PRIMARY KEY,
  a text
) PARTITION BY HASH (k) WITH (herd.fragments = 3);
CREATE TABLE copied (
  k int PRIMARY KEY,
  b float8
) WITH (herd.reference = true);

COPY numbered FROM STDIN;
1	x
2	y
\.

COPY copied FROM STDIN;
1	NaN
\.

BEGIN;

SELECT k FROM numbered INTERSECT SELECT a FROM numbered ORDER BY 1;

-- run: extended named ["NaN"]
SELECT b FROM copied WHERE b = $1;

-- run: extended named ["5", "five"]
INSERT INTO numbered VALUES ($1, $2);

ROLLBACK;

-- run: extended named ["6", "six"]
INSERT INTO numbered VALUES ($1, $2);

BEGIN;

SELECT k FROM numbered INTERSECT SELECT a FROM numbered ORDER BY 1;

-- run: extended named ["7", "seven"]
INSERT INTO numbered VALUES ($1, $2);

-- run: extended
COMMIT;

-- The query ran beside the transaction, and saw the reference table as it was before.
-- nodes: 3

CREATE TABLE copied (
  k int PRIMARY KEY,
  b int
) WITH (herd.reference = true);
CREATE TABLE cut (
  k int PRIMARY KEY,
  a text
) PARTITION BY HASH (k) WITH (herd.fragments = 6);

COPY copied FROM STDIN;
1	1
2	2
3	3
\.

COPY cut FROM STDIN;
1	x
2	y
4	z
\.

BEGIN;

DELETE FROM copied WHERE k < 3;

SELECT copied.k, cut.a FROM copied LEFT JOIN cut ON cut.k = copied.b;

ROLLBACK;

DELETE FROM copied WHERE k = 2; SELECT copied.k, cut.a FROM copied LEFT JOIN cut ON cut.k = copied.b;

BEGIN;

UPDATE copied SET b = 4;

SELECT k, b FROM copied ORDER BY k;

SELECT count(*) FROM cut;

-- run: extended
SELECT count(*) FROM cut WHERE k IN (SELECT b FROM copied);

ROLLBACK;

SELECT count(*) FROM cut WHERE k IN (SELECT b FROM copied);

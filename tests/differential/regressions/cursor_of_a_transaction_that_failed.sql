-- The rows of the cursor are in a transaction of Herd's own, which had not failed.
-- nodes: 3

CREATE TABLE cut (
  k int PRIMARY KEY,
  a int
) PARTITION BY HASH (k) WITH (herd.fragments = 4);
CREATE TABLE other (
  k int PRIMARY KEY,
  a int
) PARTITION BY HASH (k) WITH (herd.fragments = 5);

COPY cut FROM STDIN;
1	1
2	2
3	3
\.

BEGIN;

UPDATE other SET a = 1 WHERE k = 1;

DECLARE c1 SCROLL CURSOR FOR SELECT k, a FROM cut ORDER BY (a + coalesce(a, a)), k;

FETCH c1;

there is no such statement;

-- run: extended
FETCH c1;

FETCH c1;

CLOSE c1;

ROLLBACK;

BEGIN;

DECLARE c1 CURSOR FOR SELECT k FROM cut ORDER BY a + k;

SAVEPOINT s;

SELECT 1 / 0;

FETCH c1;

ROLLBACK TO s;

FETCH 2 FROM c1;

COMMIT;

-- The condition and the first rows are those of the table in FROM, not of the one in the subquery.
-- nodes: 3

CREATE TABLE around (
  k int NOT NULL,
  n int NOT NULL,
  PRIMARY KEY (k, n)
) WITH (herd.reference = true);
CREATE TABLE asked (
  k int PRIMARY KEY,
  a int
) PARTITION BY HASH (k) WITH (herd.fragments = 3);

COPY around FROM STDIN;
1	1
2	1
5	3
\.

COPY asked FROM STDIN;
1	10
2	20
3	30
4	\N
\.

SELECT (SELECT count(*) FROM asked) FROM around WHERE k = 5;

SELECT (SELECT count(*) FROM asked t2) FROM around t1 WHERE t1.n = 3;

SELECT (SELECT sum(a) FROM asked) FROM around ORDER BY k LIMIT 1;

SELECT n, (SELECT max(a) FROM asked) FROM around GROUP BY n ORDER BY n;

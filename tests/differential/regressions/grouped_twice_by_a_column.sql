-- nodes: 3

CREATE TABLE counted (
  k int PRIMARY KEY,
  e int
) PARTITION BY HASH (k) WITH (herd.fragments = 4);

COPY counted FROM STDIN;
1	1
2	\N
3	1
4	7
\.

SELECT e FROM counted GROUP BY e, e;

SELECT e, count(*) FROM counted GROUP BY 1, e ORDER BY 1;

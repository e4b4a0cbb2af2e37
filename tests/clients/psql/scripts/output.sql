-- Formats, variables and the other ways in which psql prints and sends.
\ir fixture.psql
TABLE author ORDER BY id;
\x on
SELECT * FROM article ORDER BY id;
\x auto
SELECT * FROM article ORDER BY id;
\x off
\pset null '(null)'
\pset border 2
\pset linestyle unicode
SELECT id, title FROM article ORDER BY id;
\pset format csv
SELECT id, title, price FROM article ORDER BY id;
\pset format html
SELECT id, name FROM author ORDER BY id;
\pset format latex
SELECT id, name FROM author ORDER BY id;
\pset format wrapped
\pset columns 40
SELECT repeat('words and ', 20) AS long;
\pset format asciidoc
SELECT id, name FROM author ORDER BY id;
\pset format unaligned
SELECT id, name FROM author ORDER BY id;
\pset format aligned
\pset border 1
\pset linestyle ascii
\set who Ada
SELECT id FROM author WHERE name = :'who';
SELECT :"who" FROM (SELECT 1 AS "Ada") t;
SELECT count(*) AS authors, max(id) AS last FROM author \gset
\echo :authors :last
SELECT format('SELECT %s AS n', i) FROM generate_series(1, 3) i \gexec
SELECT 1 AS a, 'two' AS b \gdesc
SELECT name FROM author ORDER BY id \g (format=unaligned tuples_only=on)
SELECT author, price, count(*) FROM article GROUP BY 1, 2 ORDER BY 1, 2 \crosstabview author price
SELECT count(*) > 1 AS several FROM author \gset
\if :several
\echo several
\else
\echo one or none
\endif
\if 0
\echo there are authors
\else
\echo there are none
\endif
SELECT 1 AS one \; SELECT 2 AS two \; SELECT 3 AS three;
\set FETCH_COUNT 2
SELECT generate_series(1, 5) AS n;
\unset FETCH_COUNT
\set AUTOCOMMIT off
INSERT INTO author (name) VALUES ('rolled back');
ROLLBACK;
SELECT count(*) FROM author;
COMMIT;
\set AUTOCOMMIT on
\set ON_ERROR_ROLLBACK on
BEGIN;
SELECT nothing;
INSERT INTO author (name) VALUES ('kept');
COMMIT;
\set ON_ERROR_ROLLBACK off
\set VERBOSITY verbose
SELECT 1/0;
\set VERBOSITY sqlstate
SELECT 1/0;
\set VERBOSITY default
SELECT * FROM author WHERE nmae = 'x';
\errverbose
\set SHOW_ALL_RESULTS off
SELECT 'first' \; SELECT 'last';
\set SHOW_ALL_RESULTS on
\copy author (name) FROM STDIN
Copied
\.
\copy (SELECT name FROM author ORDER BY id) TO STDOUT WITH (FORMAT csv, HEADER)
COPY article (author, title) FROM STDIN WITH (FORMAT csv);
1,"from, csv"
2,
\.
COPY (SELECT author, title FROM article ORDER BY id) TO STDOUT;
COPY article (author, title) FROM STDIN;
not a number	x
\.
SELECT count(*) FROM article;
\encoding
\encoding LATIN1
SELECT name FROM author WHERE id = 1;
\encoding UTF8
SHOW search_path;
EXPLAIN (COSTS off) SELECT * FROM author WHERE id = 1;
PREPARE p(int) AS SELECT $1 + 1 AS next;
EXECUTE p(41);
DEALLOCATE p;
LISTEN scripts;
SELECT 'NOTIFY is asynchronous' AS note;
UNLISTEN *;
DO $$ BEGIN RAISE NOTICE 'a notice'; RAISE WARNING 'a warning' USING HINT = 'a hint'; END $$;
VALUES (1, 'a'), (2, NULL);
SELECT;
\timing off
DROP SCHEMA psql_objects CASCADE;

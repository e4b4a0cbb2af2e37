-- # Queries of one table

-- A row by its key
SELECT * FROM users WHERE uid = 3;

-- Rows of several keys
SELECT * FROM users WHERE uid IN (1, 2, 3) ORDER BY uid;

-- A range of keys
SELECT * FROM events WHERE at BETWEEN '2025-01-01' AND '2025-12-31' ORDER BY at;

-- All rows
SELECT * FROM users;

-- Rows by a condition on any column
SELECT uid FROM users WHERE age > 30 AND name LIKE 't%';

-- Sorted by a column that is not selected
SELECT name FROM users ORDER BY age DESC NULLS LAST, uid;

-- Sorted by an expression under a collation
SELECT name FROM users ORDER BY lower(name) COLLATE "en-x-icu", uid;

-- The first rows of an order
SELECT uid FROM users ORDER BY score DESC NULLS LAST, uid LIMIT 3 OFFSET 1;

-- WITH TIES
SELECT age FROM users ORDER BY age FETCH FIRST 2 ROWS WITH TIES;

-- DISTINCT
SELECT DISTINCT age FROM users ORDER BY age;

-- DISTINCT ON
SELECT DISTINCT ON (age) age, uid FROM users ORDER BY age, uid DESC;

-- TABLESAMPLE
SELECT count(*) FROM users TABLESAMPLE BERNOULLI (100);

-- ONLY the table
SELECT * FROM ONLY users;

-- TABLE
TABLE country;

-- A fragment by its own name
SELECT * FROM events_new ORDER BY at;

-- # Aggregates and windows

-- Counts, sums, minima and maxima
SELECT count(*), sum(age), min(name), max(score), avg(age) FROM users;

-- For each group
SELECT standing, count(*) FROM users GROUP BY standing ORDER BY standing;

-- HAVING
SELECT age FROM users GROUP BY age HAVING count(*) > 1;

-- FILTER
SELECT count(*) FILTER (WHERE age > 30) FROM users;

-- DISTINCT in an aggregate
SELECT count(DISTINCT age) FROM users;

-- Order in an aggregate
SELECT string_agg(name, ',' ORDER BY uid) FROM users;

-- Ordered-set and hypothetical-set aggregates
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY age), rank(35) WITHIN GROUP (ORDER BY age) FROM users;

-- Variances
SELECT round(stddev(age), 6), round(var_pop(score), 6) FROM users;

-- GROUPING SETS, CUBE and ROLLUP
SELECT age, standing, count(*), grouping(age) FROM users GROUP BY CUBE (age, standing) ORDER BY 1, 2, 3, 4;

-- Windows over all rows
SELECT uid, rank() OVER (ORDER BY score DESC NULLS LAST, uid) FROM users ORDER BY uid;

-- Windows over parts
SELECT uid, id, sum(amount) OVER (PARTITION BY uid ORDER BY id) FROM orders ORDER BY uid, id;

-- A named window with a frame
SELECT uid, count(*) OVER w FROM users WINDOW w AS (ORDER BY uid ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) ORDER BY uid;

-- # Joins

-- On the key
SELECT u.name, o.id FROM users u JOIN orders o USING (uid) ORDER BY uid, id;

-- On the key, of one key
SELECT u.name, o.id FROM users u JOIN orders o USING (uid) WHERE u.uid = 1 ORDER BY id;

-- Not on the key
SELECT u.uid, o.uid FROM users u JOIN orders o ON u.age = o.id + 29 ORDER BY 1, 2;

-- LEFT, RIGHT and FULL
SELECT u.uid, o.id FROM users u FULL JOIN orders o ON u.uid = o.uid ORDER BY 1, 2;

-- CROSS
SELECT count(*) FROM users CROSS JOIN orders;

-- NATURAL
SELECT count(*) FROM users NATURAL JOIN orders;

-- LATERAL
SELECT u.uid, o.amount FROM users u LEFT JOIN LATERAL (SELECT amount FROM orders WHERE orders.uid = u.uid ORDER BY amount LIMIT 1) o ON true ORDER BY 1;

-- A table with itself
SELECT count(*) FROM users a JOIN users b ON a.age = b.age;

-- With a reference table
SELECT count(*) FROM users JOIN country ON rank = uid;

-- With a home table
SELECT u.name, s.value FROM users u JOIN settings s ON s.id = u.uid ORDER BY 1;

-- With a function
SELECT count(*) FROM users, generate_series(1, 3);

-- With VALUES
SELECT u.name FROM users u JOIN (VALUES (1), (2)) v (id) ON v.id = u.uid ORDER BY 1;

-- # Subqueries, CTEs and sets

-- Scalar
SELECT uid, (SELECT count(*) FROM orders WHERE orders.uid = users.uid) FROM users ORDER BY uid;

-- EXISTS
SELECT uid FROM users u WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.uid = u.uid) ORDER BY uid;

-- IN
SELECT uid FROM users WHERE uid IN (SELECT uid FROM orders WHERE amount > 5) ORDER BY uid;

-- ANY and ALL
SELECT uid FROM users WHERE score > ALL (SELECT amount FROM orders WHERE note = 'c') ORDER BY uid;

-- ARRAY
SELECT ARRAY (SELECT uid FROM users ORDER BY uid);

-- In FROM
SELECT avg(n) FROM (SELECT count(*) AS n FROM orders GROUP BY uid) s;

-- A CTE
WITH big AS (SELECT * FROM orders WHERE amount > 5) SELECT count(*) FROM big JOIN users USING (uid);

-- A recursive CTE
WITH RECURSIVE up (uid) AS (SELECT min(uid) FROM users UNION ALL SELECT (SELECT min(u.uid) FROM users u WHERE u.uid > up.uid) FROM up WHERE up.uid IS NOT NULL) SELECT count(*) FROM up;

-- UNION, INTERSECT and EXCEPT
SELECT uid FROM users EXCEPT SELECT uid FROM orders ORDER BY 1;

-- UNION ALL of tables of all kinds
SELECT uid::text FROM users UNION ALL SELECT code FROM country UNION ALL SELECT name FROM settings ORDER BY 1;

-- # Rows as such, locks and cursors

-- Whole rows
SELECT users FROM users ORDER BY uid;

-- Whole rows as JSON
SELECT row_to_json(users) FROM users ORDER BY uid;

-- System columns
SELECT count(DISTINCT xmin) > 0 FROM users;

-- FOR UPDATE, of one node
SELECT name FROM users WHERE uid = 1 FOR UPDATE;

-- FOR UPDATE, over several nodes
SELECT name FROM users ORDER BY uid FOR UPDATE;

-- A cursor over one node
BEGIN;
DECLARE c CURSOR FOR SELECT name FROM users WHERE uid = 1;
FETCH ALL FROM c;
COMMIT;

-- A cursor over several nodes
BEGIN;
DECLARE c CURSOR FOR SELECT name FROM users ORDER BY uid;
FETCH 3 FROM c;
COMMIT;

-- PREPARE and EXECUTE, of one node
PREPARE p1 (bigint) AS SELECT name FROM users WHERE uid = $1;
EXECUTE p1 (2);

-- PREPARE and EXECUTE, over several nodes
PREPARE p2 (int) AS SELECT count(*) FROM users WHERE age > $1;
EXECUTE p2 (30);

-- CREATE TABLE AS
CREATE TABLE taken AS SELECT * FROM users;

-- SELECT INTO
SELECT * INTO taken_too FROM users;

-- EXPLAIN, of one node
EXPLAIN (COSTS OFF) SELECT code FROM country;

-- EXPLAIN, over several nodes
EXPLAIN (COSTS OFF) SELECT count(*) FROM users;

-- # INSERT

-- A row
INSERT INTO users (uid, name) VALUES (100, 'hundred');

-- A row, given back
INSERT INTO users VALUES (101, 'next', 20, 0, DEFAULT) RETURNING uid, upper(name), standing;

-- Rows of one node
INSERT INTO orders VALUES (100, 1, 1, NULL), (100, 2, 2, NULL);

-- Rows of several nodes
INSERT INTO users (uid, name) VALUES (102, 'a'), (103, 'b'), (104, 'c'), (105, 'd');

-- Rows of several nodes, given back
INSERT INTO users (uid, name) VALUES (112, 'a'), (113, 'b'), (114, 'c'), (115, 'd') RETURNING *;

-- A key that is an expression
INSERT INTO users (uid, name) VALUES (100 + 6, 'computed');

-- ON CONFLICT of one row
INSERT INTO users (uid, name) VALUES (1, 'again') ON CONFLICT (uid) DO UPDATE SET name = excluded.name || '!' RETURNING name;

-- ON CONFLICT of rows of several nodes
INSERT INTO users (uid, name) VALUES (1, 'x'), (2, 'x'), (3, 'x') ON CONFLICT DO NOTHING;

-- SELECT on the same key
INSERT INTO orders (uid, id, amount) SELECT uid, 1000, score FROM users;

-- SELECT from elsewhere
INSERT INTO users (uid, name) SELECT 1000 + id, name FROM settings;

-- SELECT of another table, into a home table
INSERT INTO settings (id, name) SELECT 1000 + uid::int, 'user ' || uid FROM users;

-- A row without a key
INSERT INTO users DEFAULT VALUES;

-- Into a reference table
INSERT INTO country VALUES ('fr', 'France', 4);

-- Into a home table
INSERT INTO settings VALUES (10, 'ten', NULL);

-- A row that breaks a constraint
INSERT INTO users (uid) VALUES (1);

-- # UPDATE, DELETE and MERGE

-- Of one key
UPDATE users SET age = age + 1 WHERE uid = 1;

-- Of several keys
UPDATE users SET age = age + 1 WHERE uid IN (1, 2, 3) RETURNING uid, age;

-- By any condition
UPDATE users SET score = score * 2 WHERE age > 30;

-- Of all rows
UPDATE users SET name = upper(name);

-- FROM, on the key
UPDATE orders SET note = users.name FROM users WHERE users.uid = orders.uid;

-- FROM, not on the key
UPDATE users SET name = country.name FROM country WHERE country.rank = users.uid;

-- With a subquery
UPDATE users SET score = (SELECT sum(amount) FROM orders WHERE orders.uid = users.uid);

-- Of the key
UPDATE users SET uid = 500 WHERE uid = 8;

-- Of a reference table
UPDATE country SET rank = rank + 1;

-- Of a home table
UPDATE settings SET value = 'v';

-- DELETE of one key
DELETE FROM orders WHERE uid = 8;

-- DELETE by any condition
DELETE FROM orders WHERE amount < 2 RETURNING *;

-- DELETE USING
DELETE FROM orders USING users WHERE users.uid = orders.uid AND users.age > 100;

-- DELETE of a reference table
DELETE FROM country WHERE code = 'pe';

-- MERGE of one key
MERGE INTO users u USING (SELECT 1 AS uid) s ON u.uid = s.uid AND u.uid = 1 WHEN MATCHED THEN UPDATE SET age = 1;

-- MERGE on the key
MERGE INTO orders o USING users u ON o.uid = u.uid AND o.id = 1 WHEN MATCHED THEN UPDATE SET note = u.name WHEN NOT MATCHED THEN INSERT VALUES (u.uid, 1, 0, 'merged');

-- A CTE that writes
WITH gone AS (DELETE FROM orders WHERE note = 'b' RETURNING *) SELECT count(*) FROM gone;

-- TRUNCATE
TRUNCATE orders;

-- COPY TO
COPY (SELECT uid FROM users ORDER BY uid) TO STDOUT;

-- # Transactions

-- One node
BEGIN;
UPDATE users SET age = 1 WHERE uid = 1;
COMMIT;

-- Several nodes
BEGIN;
UPDATE users SET age = 1 WHERE uid = 1;
UPDATE users SET age = 2 WHERE uid = 2;
UPDATE users SET age = 3 WHERE uid = 3;
COMMIT;

-- Savepoints over several nodes
BEGIN;
UPDATE users SET age = 4 WHERE uid = 1;
SAVEPOINT s;
UPDATE users SET age = 5 WHERE uid = 2;
ROLLBACK TO s;
UPDATE users SET age = 6 WHERE uid = 3;
COMMIT;

-- Queries over several nodes after writes
BEGIN;
UPDATE users SET age = 77 WHERE uid = 1;
SELECT count(*) FROM users WHERE age = 77;
COMMIT;

-- REPEATABLE READ of one node
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT name FROM users WHERE uid = 1;
COMMIT;

-- REPEATABLE READ over several nodes
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM users;
COMMIT;

-- SERIALIZABLE over several nodes
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM users;
COMMIT;

-- READ ONLY over several nodes
BEGIN READ ONLY;
SELECT count(*) FROM users;
COMMIT;

-- COMMIT AND CHAIN of several nodes
BEGIN;
UPDATE users SET age = 1 WHERE uid = 1;
UPDATE users SET age = 2 WHERE uid = 2;
UPDATE users SET age = 3 WHERE uid = 3;
COMMIT AND CHAIN;
ROLLBACK;

-- PREPARE TRANSACTION of one node
BEGIN;
UPDATE users SET age = 1 WHERE uid = 1;
PREPARE TRANSACTION 'of a client';
ROLLBACK PREPARED 'of a client';

-- SET LOCAL over several nodes
BEGIN;
SET LOCAL work_mem = '8MB';
SELECT count(*) FROM users;
SHOW work_mem;
COMMIT;

-- A temporary table beside fragmented ones
CREATE TEMP TABLE own (id bigint);
INSERT INTO own VALUES (1), (2);
SELECT count(*) FROM own JOIN users ON own.id = users.uid;
DROP TABLE own;

-- LOCK TABLE
BEGIN;
LOCK TABLE users IN SHARE MODE;
COMMIT;

-- # Definitions

-- CREATE INDEX
CREATE INDEX users_name ON users (name);

-- CREATE UNIQUE INDEX with the key
CREATE UNIQUE INDEX users_uid_name ON users (uid, name);

-- CREATE UNIQUE INDEX without the key
CREATE UNIQUE INDEX orders_note ON orders (note);

-- A column is added
ALTER TABLE users ADD COLUMN extra int DEFAULT 7;

-- A column is dropped
ALTER TABLE users DROP COLUMN extra;

-- A column is renamed
ALTER TABLE users RENAME COLUMN score TO points;

-- A column gets another type
ALTER TABLE users ALTER COLUMN age TYPE bigint;

-- A constraint is added
ALTER TABLE users ADD CONSTRAINT not_negative CHECK (age IS NULL OR age >= 0);

-- A foreign key on the key
ALTER TABLE orders ADD FOREIGN KEY (uid) REFERENCES users (uid);

-- A table is renamed
ALTER TABLE events RENAME TO happenings;

-- CREATE VIEW of a reference table
CREATE VIEW names AS SELECT name FROM country;

-- CREATE VIEW of a fragmented table
CREATE VIEW old_users AS SELECT * FROM users WHERE age > 40;

-- CREATE MATERIALIZED VIEW
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM users;

-- CREATE FUNCTION of a fragmented table
CREATE FUNCTION counted_users () RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM users';

-- CREATE TRIGGER for each row
CREATE FUNCTION noted () RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := ''noted''; RETURN NEW; END';
CREATE TRIGGER noted BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION noted ();

-- CREATE SEQUENCE
CREATE SEQUENCE numbers;

-- GRANT
GRANT SELECT ON users TO PUBLIC;

-- COMMENT
COMMENT ON TABLE users IS 'those who use';

-- ANALYZE and VACUUM
ANALYZE users;
VACUUM users;

-- DROP TABLE
DROP TABLE orders;

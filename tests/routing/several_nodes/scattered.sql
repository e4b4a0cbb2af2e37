-- Rows that only have to be put together: as they come, in an order, and cut off.

SELECT * FROM users;
SELECT ALL uid, name FROM users WHERE age > 30;
SELECT uid + 1, upper(name) || '!' AS loud FROM users u WHERE u.name LIKE 'user%' AND NOT (uid BETWEEN 10 AND 20);
SELECT uid, CASE WHEN age > 40 THEN 'old' ELSE region END FROM users;
SELECT 1 FROM users;
SELECT uid FROM users WHERE uid IN (1, 2, 3, 4, 5);
SELECT uid FROM users WHERE false;
SELECT uid, standing, tags, extra FROM users WHERE extra->>'even' = 'true';
SELECT user_id, id, amount, placed FROM orders ORDER BY placed DESC, user_id, id;
SELECT amount FROM orders ORDER BY amount, user_id, id OFFSET 3 LIMIT 20;
SELECT score, uid FROM users ORDER BY score, uid;
SELECT score, uid FROM users ORDER BY score DESC, uid DESC LIMIT 12;
SELECT uid FROM users ORDER BY score NULLS FIRST, age DESC NULLS LAST, uid;
SELECT born, uid AS id FROM users ORDER BY 1 DESC, id;
SELECT u.name FROM users AS u ORDER BY u.born, u.uid OFFSET 57;
SELECT uid::int4 AS half, uid FROM users ORDER BY half DESC;
SELECT uid FROM users ORDER BY age::numeric, CAST(uid AS int);
SELECT key FROM docs ORDER BY key COLLATE "C";
SELECT key AS k FROM docs d ORDER BY key COLLATE "C" DESC LIMIT 4;
SELECT tenant, doc FROM parts ORDER BY tenant DESC, doc COLLATE "C" LIMIT 7 OFFSET 2;
SELECT *, uid AS again FROM users ORDER BY again LIMIT 2;
SELECT age AS uid FROM users ORDER BY (uid), name COLLATE "C";
SELECT uid, -uid AS "Uid" FROM users ORDER BY uid DESC LIMIT 3;
SELECT uid, uid AS uid FROM users ORDER BY uid LIMIT 3;
SELECT uid FROM users ORDER BY 2;
SELECT uid FROM users ORDER BY nothing;
SELECT uid, nothing FROM users ORDER BY uid;
SELECT uid FROM users ORDER BY uid LIMIT 0;
SELECT uid FROM users ORDER BY uid OFFSET 100;
SELECT uid FROM users ORDER BY uid LIMIT 9223372036854775807 OFFSET 55;
SELECT uid FROM users ORDER BY uid LIMIT 99999999999999999999;
SELECT 1 / (age - age) FROM users ORDER BY uid;
SELECT name FROM users ORDER BY name COLLATE "POSIX" NULLS FIRST, uid;
SELECT uid /* a comment, with a comma */ FROM users ORDER /* here */ BY uid -- and here
  DESC LIMIT 2;

-- Reference tables, which any node can answer, and home tables, which the home node answers.
SELECT * FROM country ORDER BY code;
SELECT count(*) FROM country;
SELECT name FROM country WHERE code = 'cz';
SELECT max(rank), min(name) FROM country;
SELECT a.name, b.name FROM country a, country b WHERE a.rank < b.rank ORDER BY 1, 2;
SELECT * FROM settings ORDER BY id;
SELECT count(*), count(value) FROM settings;
SELECT * FROM settings WHERE name LIKE '%1%' ORDER BY name COLLATE "C" DESC LIMIT 3 OFFSET 1;
SELECT s.id, c.name FROM settings s JOIN country c ON c.rank = s.id ORDER BY 1;
SELECT value, count(*) FROM settings GROUP BY value HAVING count(*) > 1;
SELECT id, lag(id) OVER (ORDER BY id) FROM settings ORDER BY id LIMIT 4;
TABLE country ORDER BY rank;
SELECT * FROM country WHERE code IN (SELECT 'cz' UNION SELECT 'jp') ORDER BY code;
SELECT * FROM settings WHERE id IN (SELECT rank FROM country) ORDER BY id;
SELECT (SELECT count(*) FROM country) + (SELECT count(*) FROM settings);
WITH RECURSIVE r AS (SELECT 1 AS id UNION ALL SELECT r.id + 1 FROM r JOIN settings s ON s.id = r.id) SELECT max(id) FROM r;
SELECT count(*) FROM settings UNION ALL SELECT count(*) FROM country;

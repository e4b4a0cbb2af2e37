-- Columns named with schema and table.
SELECT routing_tested.users.uid FROM routing_tested.users WHERE routing_tested.users.age > 30 ORDER BY routing_tested.users.uid LIMIT 5;
SELECT routing_tested.users.* FROM users ORDER BY 1;
SELECT "routing_tested"."users"."region", count("routing_tested"."users"."uid"), max(routing_tested.users.age) FROM "routing_tested"."users" GROUP BY "routing_tested"."users"."region" ORDER BY 1;
SELECT routing_tested.users.name, routing_tested.orders.id FROM routing_tested.users JOIN routing_tested.orders ON routing_tested.orders.user_id = routing_tested.users.uid WHERE routing_tested.users.age > 30 ORDER BY 2, routing_tested.users.uid;
SELECT routing_tested.country.name, count(*) FROM routing_tested.country JOIN routing_tested.users ON routing_tested.users.region = routing_tested.country.code GROUP BY 1 ORDER BY 1;
SELECT routing_tested.users.nothing FROM routing_tested.users;
SELECT routing_tested.users.uid FROM routing_tested.users u;
SELECT count(*) FROM users WHERE EXISTS (SELECT 1 FROM routing_tested.orders WHERE routing_tested.orders.user_id = routing_tested.users.uid);

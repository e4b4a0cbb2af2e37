//! What is brought for a query, and the query over it.

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use crate::fixture::{catalog, understood};
use crate::{Action, NoParameters, Values};

fn check(sql: &str, expect: Expect) {
    expect.assert_eq(&brought(sql));
}

/// For each table: nodes, and what they are asked for; then the statement over all of it.
fn brought(sql: &str) -> String {
    let catalog = catalog();
    let understood = understood(sql, &catalog);
    let exchange = match &understood.plan.action {
        Action::Forward(forward) => forward.exchange.clone(),
        _ => None,
    };
    let Some(exchange) = exchange else { return "nothing".to_owned() };
    let values =
        Values { text: sql.as_bytes(), slots: &understood.slots, parameters: &NoParameters };
    let (before, query) = exchange.split(sql.as_bytes());
    let mut told = String::new();
    for table in &exchange.brought {
        let nodes: Vec<u16> = table.nodes(&catalog, &values).iter().map(|node| node.0).collect();
        let reading = table.reading(query, &catalog).expect("a text that was understood");
        let text = String::from_utf8(reading.text).expect("UTF-8");
        writeln!(told, "{nodes:?} {text} {:?}", reading.parameters).expect("a String takes all");
    }
    let rewritten = exchange.rewritten(query, &catalog, |_| "brought".to_owned());
    let rewritten = rewritten.expect("a text that was understood");
    told + &String::from_utf8([before, &rewritten.text].concat()).expect("UTF-8")
}

#[test]
fn only_columns_that_are_written_are_brought() {
    check(
        "SELECT count(*) FROM users",
        expect![[r#"
            [1, 2, 3] SELECT count(*) AS "herd count 0" FROM "public"."users" AS "users" []
            SELECT "herd 0"."count" FROM (SELECT coalesce(pg_catalog.sum("herd count 0"), 0)::pg_catalog.int8 AS "herd 0" FROM brought) AS "users" CROSS JOIN LATERAL (SELECT "users"."herd 0" AS "count") AS "herd 0""#]],
    );
    check(
        "SELECT max(u.name) FROM users u",
        expect![[r#"
            [1, 2, 3] SELECT max(u.name) AS "herd max 0" FROM "public"."users" AS "u" []
            SELECT "herd 0"."max" FROM (SELECT max("herd max 0") AS "herd 0" FROM brought) AS "u" CROSS JOIN LATERAL (SELECT "u"."herd 0" AS "max") AS "herd 0""#]],
    );
    check(
        "SELECT * FROM users",
        expect![[r#"
            [1, 2, 3] SELECT "id", "name" FROM "public"."users" AS "users" []
            SELECT * FROM brought AS users"#]],
    );
}

#[test]
fn whether_there_are_rows_takes_no_columns() {
    check(
        "SELECT 1 FROM country WHERE EXISTS (SELECT * FROM users WHERE id > 3)",
        expect![[r#"
            [1, 2, 3] SELECT "id" FROM "public"."users" AS "herd 0" WHERE ((id > 3)) []
            SELECT 1 FROM country WHERE EXISTS (SELECT * FROM brought AS users WHERE id > 3)"#]],
    );
    check(
        "SELECT 1 FROM country WHERE EXISTS (SELECT DISTINCT * FROM users OFFSET 3)",
        expect![[r#"
            [1, 2, 3] SELECT "id", "name" FROM "public"."users" []
            SELECT 1 FROM country WHERE EXISTS (SELECT DISTINCT * FROM brought AS users OFFSET 3)"#]],
    );
}

#[test]
fn a_condition_on_another_table_is_not_asked_of_the_one_in_a_subquery() {
    check(
        "SELECT (SELECT max(id) FROM users) FROM country WHERE code = 'de'",
        expect![[r#"
            [1, 2, 3] SELECT "id" FROM "public"."users" []
            SELECT (SELECT max(id) FROM brought AS users) FROM country WHERE code = 'de'"#]],
    );
    check(
        "SELECT (SELECT max(id) FROM users) FROM country ORDER BY code LIMIT 1",
        expect![[r#"
            [1, 2, 3] SELECT "id" FROM "public"."users" []
            SELECT (SELECT max(id) FROM brought AS users) FROM country ORDER BY code LIMIT 1"#]],
    );
}

#[test]
fn a_condition_that_any_node_can_tell_is_asked_there() {
    check(
        "SELECT id FROM users WHERE name = 'x' ORDER BY id",
        expect![[r#"
        [1, 2, 3] SELECT "id", "name" FROM "public"."users" AS "users" WHERE name = 'x' []
        SELECT id FROM brought AS users WHERE name = 'x' ORDER BY id"#]],
    );
    check(
        "SELECT $2 FROM public.users AS u WHERE u.name = $3 AND id < $1",
        expect![[r#"
            [1, 2, 3] SELECT "id", "name" FROM "public"."users" AS "u" WHERE u.name = $1 AND id < $2 [2, 0]
            SELECT $1 FROM brought AS u WHERE u.name = $2 AND id < $3"#]],
    );
}

#[test]
fn a_condition_that_may_change_from_node_to_node_is_not() {
    for condition in [
        "id = f(3)",
        "name < current_user",
        "id IN (SELECT 1)",
        "id = $1 AND name = $1",
        "EXISTS (SELECT 1)",
    ] {
        let told = brought(&format!("SELECT id FROM users WHERE {condition}"));
        assert!(told.contains("\"public\".\"users\" []"), "{told}");
    }
}

#[test]
fn keys_tell_which_nodes_are_asked() {
    check(
        "SELECT id FROM users WHERE id IN (1, 2)",
        expect![[r#"
            [1, 3] SELECT "id" FROM "public"."users" AS "users" WHERE id IN (1, 2) []
            SELECT id FROM brought AS users WHERE id IN (1, 2)"#]],
    );
}

#[test]
fn every_place_that_reads_the_table_reads_what_was_brought() {
    check(
        "WITH c AS (SELECT id FROM users) \
         SELECT * FROM c JOIN users b USING (id) WHERE EXISTS (TABLE users)",
        expect![[r#"
            [1, 2, 3] SELECT "id", "name" FROM "public"."users" []
            WITH c AS (SELECT id FROM brought AS users) SELECT * FROM c JOIN brought b USING (id) WHERE EXISTS (SELECT * FROM brought AS users)"#]],
    );
    check(
        "WITH RECURSIVE r AS (SELECT id FROM users UNION SELECT u.id FROM users u, r WHERE u.id = r.id + 1) TABLE r",
        expect![[r#"
            [1, 2, 3] SELECT "id", "name" FROM "public"."users" []
            WITH RECURSIVE r AS (SELECT id FROM brought AS users UNION SELECT u.id FROM brought u, r WHERE u.id = r.id + 1) TABLE r"#]],
    );
}

#[test]
fn a_query_within_a_statement_leaves_the_rest_as_it_is() {
    check(
        "COPY /* ž */ (SELECT name FROM users WHERE id > 3) TO STDOUT (FORMAT csv)",
        expect![[r#"
        [1, 2, 3] SELECT "id", "name" FROM "public"."users" AS "users" WHERE id > 3 []
        COPY /* ž */ (SELECT name FROM brought AS users WHERE id > 3) TO STDOUT (FORMAT csv)"#]],
    );
}

#[test]
fn what_can_tell_a_table_from_what_was_brought_is_left_alone() {
    for sql in [
        "SELECT tableoid FROM users",
        "SELECT users FROM users",
        "SELECT array_agg(u) FROM users u",
        "SELECT public.users.id FROM public.users, other.users",
        "SELECT public.users.id FROM public.users, lateral (select 1) users",
        "SELECT public.users.id FROM users JOIN home users ON true",
        "SELECT db.public.users.id FROM public.users",
        "SELECT id, now() FROM users LIMIT 1 FOR UPDATE",
        "SELECT id FROM users FETCH FIRST ROW ONLY FOR UPDATE",
        "SELECT u.id FROM users u, users v FOR UPDATE",
        "SELECT id FROM users WHERE id = (SELECT max(id) FROM home) FOR UPDATE",
        "SELECT * FROM (SELECT id FROM users FOR UPDATE) AS x",
        "DECLARE c CURSOR FOR SELECT id FROM users FOR UPDATE",
        "SELECT id INTO copy FROM users",
        "SELECT * FROM ONLY users",
        "DELETE FROM users",
        "WITH d AS (DELETE FROM users RETURNING id) SELECT * FROM d",
        "INSERT INTO users SELECT id + 1 FROM users",
        "EXPLAIN SELECT count(*) FROM users",
    ] {
        assert_eq!(brought(sql), "nothing", "{sql}");
    }
}

#[test]
fn a_column_that_is_called_as_a_table_is_no_whole_row() {
    check(
        "SELECT users FROM (SELECT name AS users FROM users) AS x ORDER BY users",
        expect![[r#"
            [1, 2, 3] SELECT "name" FROM "public"."users" []
            SELECT users FROM (SELECT name AS users FROM brought AS users) AS x ORDER BY users"#]],
    );
    check("SELECT users FROM users", expect!["nothing"]);
    check("SELECT users AS users FROM users", expect!["nothing"]);
}

#[test]
fn whole_rows_are_brought_for_functions_of_what_is_in_them() {
    check(
        "SELECT row_to_json(u), count(u) AS u FROM users u",
        expect![[r#"
            [1, 2, 3] SELECT "id", "name" FROM "public"."users" AS "u" []
            SELECT row_to_json(u), count(u) AS u FROM brought u"#]],
    );
}

#[test]
fn likes_share_a_plan_and_keep_their_own_literals() {
    check(
        "SELECT id FROM users WHERE name = 'a longer one'; ",
        expect![[r#"
            [1, 2, 3] SELECT "id", "name" FROM "public"."users" AS "users" WHERE name = 'a longer one' []
            SELECT id FROM brought AS users WHERE name = 'a longer one'; "#]],
    );
}

#[test]
fn what_can_be_counted_in_parts_is_brought_in_parts() {
    check(
        "SELECT count(*), max(name) FROM users u WHERE name > $2",
        expect![[r#"
        [1, 2, 3] SELECT count(*) AS "herd count 0", max(name) AS "herd max 1" FROM "public"."users" AS "u" WHERE name > $1 [1]
        SELECT "herd 0"."count", "herd 1"."max" FROM (SELECT coalesce(pg_catalog.sum("herd count 0"), 0)::pg_catalog.int8 AS "herd 0", max("herd max 1") AS "herd 1" FROM brought) AS "u" CROSS JOIN LATERAL (SELECT "u"."herd 0" AS "count") AS "herd 0" CROSS JOIN LATERAL (SELECT "u"."herd 1" AS "max") AS "herd 1" "#]],
    );
    check(
        "SELECT name, avg(id) AS a FROM users GROUP BY 1 HAVING count(*) > $1 ORDER BY sum(id)",
        expect![[r#"
            [1, 2, 3] SELECT "name", sum(id) AS "herd sum 0", count(id) AS "herd count 0", count(*) AS "herd count 1", sum(id) AS "herd sum 2" FROM "public"."users" AS "users" GROUP BY "name" []
            SELECT name, "herd 0"."avg" AS a FROM (SELECT "name", pg_catalog.sum("herd sum 0") / nullif(pg_catalog.sum("herd count 0"), 0) AS "herd 0", coalesce(pg_catalog.sum("herd count 1"), 0)::pg_catalog.int8 AS "herd 1", pg_catalog.sum("herd sum 2") AS "herd 2" FROM brought GROUP BY "name") AS "users" CROSS JOIN LATERAL (SELECT "users"."herd 0" AS "avg") AS "herd 0" CROSS JOIN LATERAL (SELECT "users"."herd 1" AS "count") AS "herd 1" CROSS JOIN LATERAL (SELECT "users"."herd 2" AS "sum") AS "herd 2"  WHERE "herd 1"."count" > $1 ORDER BY "herd 2"."sum""#]],
    );
    check(
        "SELECT name, count(*) FROM users GROUP BY name HAVING min(id) > 3 ORDER BY 2 LIMIT 5",
        expect![[r#"
            [1, 2, 3] SELECT "name", count(*) AS "herd count 0", min(id) AS "herd min 1" FROM "public"."users" AS "users" GROUP BY "name" []
            SELECT name, "herd 0"."count" FROM (SELECT "name", coalesce(pg_catalog.sum("herd count 0"), 0)::pg_catalog.int8 AS "herd 0", min("herd min 1") AS "herd 1" FROM brought GROUP BY "name") AS "users" CROSS JOIN LATERAL (SELECT "users"."herd 0" AS "count") AS "herd 0" CROSS JOIN LATERAL (SELECT "users"."herd 1" AS "min") AS "herd 1"  WHERE "herd 1"."min" > 3 ORDER BY 2 LIMIT 5"#]],
    );
}

#[test]
fn what_follows_from_no_parts_is_counted_over_all_rows() {
    for sql in [
        "SELECT count(DISTINCT id) FROM users",
        "SELECT count(*) FILTER (WHERE id > 3) FROM users",
        "SELECT sum(id) OVER () FROM users",
        "SELECT sum(id::float8) FROM users",
        "SELECT array_agg(name) FROM users GROUP BY id",
        "SELECT upper(name), count(*) FROM users GROUP BY upper(name)",
        "SELECT name, count(*) FROM users GROUP BY ROLLUP (name)",
        "SELECT count(*), random() FROM users WHERE random() < 0.5",
        "SELECT name, count(*) FROM users GROUP BY id",
        "SELECT my_sum(id), count(*) FROM users",
        "SELECT count(*) FROM users, country",
        "SELECT id AS x, count(*) FROM users GROUP BY x",
    ] {
        let told = brought(sql);
        assert!(!told.contains("herd 0") && told.contains("brought"), "{sql}: {told}");
    }
}

#[test]
fn of_a_sorted_query_the_first_rows_of_each_node_are_brought() {
    check(
        "SELECT * FROM users ORDER BY name DESC LIMIT 10",
        expect![[r#"
        [1, 2, 3] SELECT "id", "name" FROM "public"."users" AS "users" ORDER BY name DESC LIMIT 10::pg_catalog.int8 []
        SELECT * FROM brought AS users ORDER BY name DESC LIMIT 10"#]],
    );
    check(
        "SELECT id FROM users WHERE id > $3 ORDER BY users.name NULLS FIRST, id LIMIT $1 OFFSET $2",
        expect![[r#"
            [1, 2, 3] SELECT "id", "name" FROM "public"."users" AS "users" WHERE id > $1 ORDER BY users.name NULLS FIRST, id LIMIT $2::pg_catalog.int8 + $3::pg_catalog.int8 [2, 0, 1]
            SELECT id FROM brought AS users WHERE id > $1 ORDER BY users.name NULLS FIRST, id LIMIT $2 OFFSET $3"#]],
    );
}

#[test]
fn other_orders_need_all_rows() {
    for sql in [
        "SELECT name AS id FROM users ORDER BY id LIMIT 1",
        "SELECT id::text FROM users ORDER BY id LIMIT 1",
        "SELECT id FROM users ORDER BY lower(name) LIMIT 1",
        "SELECT id FROM users ORDER BY name COLLATE \"C\" LIMIT 1",
        "SELECT DISTINCT id FROM users ORDER BY id LIMIT 1",
        "SELECT unnest(ARRAY[id]) FROM users ORDER BY 1 LIMIT 1",
        "SELECT id FROM users ORDER BY id FETCH FIRST 1 ROW WITH TIES",
        "SELECT id FROM users ORDER BY id LIMIT 1 + 1",
        "SELECT id FROM users WHERE id < random() ORDER BY id LIMIT 1",
        "SELECT id FROM users ORDER BY id",
    ] {
        let told = brought(sql);
        let asked = told.lines().next().unwrap_or_default();
        assert!(asked.starts_with('[') && !asked.contains("LIMIT"), "{sql}: {told}");
    }
}

#[test]
fn a_schema_before_the_table_of_a_column_is_left_out() {
    check(
        "SELECT public.users.id, \"public\".users.* FROM public.users WHERE public.users.name = 'x' ORDER BY public.users.id LIMIT 3",
        expect![[r#"
            [1, 2, 3] SELECT "id", "name" FROM "public"."users" AS "users" WHERE users.name = 'x' ORDER BY users.id LIMIT 3::pg_catalog.int8 []
            SELECT users.id, users.* FROM brought AS users WHERE users.name = 'x' ORDER BY users.id LIMIT 3"#]],
    );
    check(
        "SELECT max(public.users.name) FROM users GROUP BY public.users.id",
        expect![[r#"
        [1, 2, 3] SELECT "id", max(users.name) AS "herd max 0" FROM "public"."users" AS "users" GROUP BY "id" []
        SELECT "herd 0"."max" FROM (SELECT "id", max("herd max 0") AS "herd 0" FROM brought GROUP BY "id") AS "users" CROSS JOIN LATERAL (SELECT "users"."herd 0" AS "max") AS "herd 0" "#]],
    );
    check(
        "SELECT public.users.id FROM users JOIN orders ON orders.user_id = public.users.id",
        expect![[r#"
            [1, 2, 3] SELECT "id" FROM "public"."users" []
            SELECT users.id FROM brought AS users JOIN orders ON orders.user_id = users.id"#]],
    );
}

#[test]
fn rows_are_locked_where_they_lie() {
    check(
        "SELECT * FROM users FOR UPDATE",
        expect![[r#"
        [1, 2, 3] SELECT "id", "name" FROM "public"."users" AS "users" FOR UPDATE []
        SELECT * FROM brought AS users "#]],
    );
    check(
        "SELECT id FROM users u WHERE name = $1 ORDER BY id LIMIT 3 FOR NO KEY UPDATE OF u SKIP LOCKED",
        expect![[r#"
            [1, 2, 3] SELECT "id", "name" FROM "public"."users" AS "u" WHERE name = $1 ORDER BY id LIMIT 3::pg_catalog.int8 FOR NO KEY UPDATE OF u SKIP LOCKED [0]
            SELECT id FROM brought u WHERE name = $1 ORDER BY id LIMIT 3 "#]],
    );
    check(
        "SELECT id FROM users FOR SHARE NOWAIT LIMIT 1 OFFSET 2",
        expect![[r#"
        [1, 2, 3] SELECT "id" FROM "public"."users" AS "users" LIMIT 1::pg_catalog.int8 + 2::pg_catalog.int8 FOR SHARE NOWAIT []
        SELECT id FROM brought AS users  LIMIT 1 OFFSET 2"#]],
    );
}

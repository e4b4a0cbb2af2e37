//! Which rows are brought for a query of several tables.

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::herd::herd;
use crate::Action;
use crate::fixture::understood;

fn check(sql: &str, expected: Expect) {
    expected.assert_eq(&asked(sql));
}

/// What nodes are asked for.
fn asked(sql: &str) -> String {
    let catalog = herd();
    let understood = understood(sql, &catalog);
    let exchange = match &understood.plan.action {
        Action::Forward(forward) => forward.exchange.clone(),
        _ => None,
    };
    let mut told = String::new();
    for brought in exchange.iter().flat_map(|exchange| &exchange.brought) {
        let reading =
            brought.reading(sql.as_bytes(), &catalog).expect("a text that was understood");
        let text = String::from_utf8(reading.text).expect("UTF-8");
        writeln!(told, "{text} {:?}", reading.parameters).expect("a String takes all");
        for narrowing in &brought.narrowings {
            let name = |table, column: usize| {
                let table = catalog.table(table).expect("a table");
                format!("{}.{}", table.name.name, table.columns[column].name)
            };
            let (own, others) =
                (name(brought.table, narrowing.column), name(narrowing.other, narrowing.others));
            writeln!(told, "  if {own} is among {others}").expect("a String takes all");
        }
    }
    told
}

#[test]
fn conditions_on_one_table_are_asked_where_it_lies() {
    check(
        "SELECT u.name, a.title FROM users u JOIN articles AS a ON a.author = u.id AND a.title LIKE 'x%' \
         WHERE u.name = $2 AND (age BETWEEN 3 AND 5 AND u.country <> 'cz') AND a.id + u.age > 3",
        expect![[r#"
            SELECT "id", "name", "country", "age" FROM "public"."users" AS "herd 0" WHERE ((name = $1) AND (age BETWEEN 3 AND 5) AND (country <> 'cz')) [1]
            SELECT "id", "author", "title" FROM "public"."articles" AS "herd 0" WHERE ((title LIKE 'x%')) []
              if articles.author is among users.id
        "#]],
    );
    check(
        "SELECT count(*) FROM users, articles WHERE lower(users.name) = lower('X') AND NOT (age > 5 OR age IS NULL)",
        expect![[r#"
            SELECT "name", "age" FROM "public"."users" AS "herd 0" WHERE ((lower(name) = lower('X')) AND (NOT (age > 5 OR age IS NULL))) []
            SELECT "id" FROM "public"."articles" []
        "#]],
    );
    check(
        "SELECT * FROM users u, articles a WHERE age IN (1, 2) OR age > 40 AND u.name IS NOT NULL",
        expect![[r#"
            SELECT "id", "name", "country", "age" FROM "public"."users" AS "herd 0" WHERE ((age IN (1, 2) OR age > 40 AND name IS NOT NULL)) []
            SELECT "id", "author", "title" FROM "public"."articles" []
        "#]],
    );
}

#[test]
fn conditions_on_several_tables_or_unsure_ones_are_not() {
    for condition in [
        "u.age = a.id",
        "u.age = 1 OR a.id = 1",
        "u.age / u.age = 1",
        "-u.age = 1",
        "u.age::text = '1'",
        "u.age = f(3)",
        "u.age = (SELECT 1)",
        "u.age = $1 AND u.id = $1",
        "u.name < current_user",
        "u.name ~ 'x'",
        "u.name = 'x'::mood",
        "random() < 0.5",
        "now() > '2020-01-01'",
        "u.name = 'now'",
    ] {
        let told =
            asked(&format!("SELECT u.id, u.age, a.id FROM users u, articles a WHERE {condition}"));
        assert!(told.contains("users") && !told.contains("WHERE"), "{condition}: {told}");
    }
}

#[test]
fn a_condition_that_fills_with_nulls_does_not_take_rows_away() {
    check(
        "SELECT * FROM users u LEFT JOIN articles a ON a.author = u.id AND a.title = 'x' AND u.age = 3 \
         WHERE a.id IS NULL AND u.name = 'y'",
        expect![[r#"
            SELECT "id", "name", "country", "age" FROM "public"."users" AS "herd 0" WHERE ((name = 'y')) []
            SELECT "id", "author", "title" FROM "public"."articles" AS "herd 0" WHERE ((title = 'x')) []
              if articles.author is among users.id
        "#]],
    );
    check(
        "SELECT * FROM users u RIGHT JOIN articles a ON a.author = u.id AND a.title = 'x' AND u.age = 3",
        expect![[r#"
            SELECT "id", "name", "country", "age" FROM "public"."users" AS "herd 0" WHERE ((age = 3)) []
            SELECT "id", "author", "title" FROM "public"."articles" []
        "#]],
    );
    check(
        "SELECT * FROM users u FULL JOIN articles a ON a.title = 'x' AND u.age = 3",
        expect![[r#"
            SELECT "id", "name", "country", "age" FROM "public"."users" []
            SELECT "id", "author", "title" FROM "public"."articles" []
        "#]],
    );
    check(
        "SELECT * FROM users u LEFT JOIN articles a ON a.author = u.id WHERE a.id > 5 AND a.title = 'x'",
        expect![[r#"
            SELECT "id", "author", "title" FROM "public"."articles" AS "herd 0" WHERE ((id > 5) AND (title = 'x')) []
            SELECT "id", "name", "country", "age" FROM "public"."users" []
              if users.id is among articles.author
        "#]],
    );
}

#[test]
fn every_place_that_reads_a_table_gets_its_rows() {
    check(
        "SELECT * FROM users a, users b WHERE a.age = 1 AND b.age = 2 AND a.name = b.name",
        expect![[r#"
            SELECT "id", "name", "country", "age" FROM "public"."users" AS "herd 0" WHERE ((age = 1)) OR ((age = 2)) []
        "#]],
    );
    check(
        "SELECT * FROM users a, users b WHERE a.age = 1 AND a.name = b.name",
        expect![[r#"
        SELECT "id", "name", "country", "age" FROM "public"."users" []
    "#]],
    );
    check(
        "WITH c AS (SELECT * FROM users WHERE age = 1) SELECT * FROM c, c d",
        expect![[r#"
        SELECT "id", "name", "country", "age" FROM "public"."users" AS "herd 0" WHERE ((age = 1)) []
    "#]],
    );
    check(
        "SELECT * FROM users WHERE age = 1 UNION SELECT * FROM users WHERE age = 2",
        expect![[r#"
            SELECT "id", "name", "country", "age" FROM "public"."users" AS "herd 0" WHERE ((age = 1)) OR ((age = 2)) []
        "#]],
    );
    check(
        "SELECT name FROM users WHERE age > (SELECT avg(age) FROM users WHERE country = 'cz')",
        expect![[r#"
            SELECT "name", "country", "age" FROM "public"."users" []
        "#]],
    );
}

#[test]
fn rows_are_asked_for_their_partners_on_the_same_node() {
    check(
        "SELECT * FROM users u JOIN orders o ON u.id = o.user_id, articles \
         WHERE u.age = 1 AND o.total > 5",
        expect![[r#"
            SELECT "id", "name", "country", "age" FROM "public"."users" AS "herd 0" WHERE ((age = 1) AND EXISTS (SELECT FROM "public"."orders" AS "herd 1" WHERE "herd 1"."user_id" = "herd 0"."id" AND ((total > 5)))) []
            SELECT "user_id", "id", "total", "note" FROM "public"."orders" AS "herd 0" WHERE ((total > 5) AND EXISTS (SELECT FROM "public"."users" AS "herd 1" WHERE "herd 1"."id" = "herd 0"."user_id" AND ((age = 1)))) []
              if orders.user_id is among users.id
            SELECT "id", "author", "title" FROM "public"."articles" []
        "#]],
    );
    check(
        "SELECT * FROM users NATURAL JOIN ages, articles WHERE word = 'old'",
        expect![[r#"
        SELECT "id", "name", "country", "age" FROM "public"."users" AS "herd 0" WHERE (EXISTS (SELECT FROM "public"."ages" AS "herd 1" WHERE "herd 1"."age" = "herd 0"."age" AND ((word = 'old')))) []
        SELECT "id", "author", "title" FROM "public"."articles" []
    "#]],
    );
    check(
        "SELECT note FROM orders o WHERE o.user_id IN (SELECT id FROM users NATURAL JOIN ages WHERE word = 'old')",
        expect![[r#"
            SELECT "user_id", "id", "total", "note" FROM "public"."orders" []
            SELECT "id", "name", "country", "age" FROM "public"."users" AS "herd 0" WHERE (EXISTS (SELECT FROM "public"."ages" AS "herd 1" WHERE "herd 1"."age" = "herd 0"."age" AND ((word = 'old')))) []
              if users.id is among orders.user_id
        "#]],
    );
    check(
        "SELECT u.id, (SELECT max(total) FROM orders WHERE user_id = u.id AND note = 'x') FROM users u WHERE age = 3",
        expect![[r#"
            SELECT "id", "age" FROM "public"."users" AS "herd 0" WHERE ((age = 3)) []
            SELECT "user_id", "id", "total", "note" FROM "public"."orders" AS "herd 0" WHERE ((note = 'x') AND EXISTS (SELECT FROM "public"."users" AS "herd 1" WHERE "herd 1"."id" = "herd 0"."user_id" AND ((age = 3)))) []
              if orders.user_id is among users.id
        "#]],
    );
    check(
        "SELECT * FROM (SELECT user_id, sum(total) FROM orders GROUP BY user_id) o JOIN users u ON u.id = o.user_id \
         WHERE u.age = 1",
        expect![[r#"
            SELECT "id", "name", "country", "age" FROM "public"."users" AS "herd 0" WHERE ((age = 1)) []
            SELECT "user_id", "id", "total", "note" FROM "public"."orders" AS "herd 0" WHERE (EXISTS (SELECT FROM "public"."users" AS "herd 1" WHERE "herd 1"."id" = "herd 0"."user_id" AND ((age = 1)))) []
              if orders.user_id is among users.id
        "#]],
    );
}

#[test]
fn only_those_are_partners_that_lie_beside_and_must_be_there() {
    for sql in [
        // The rows lie elsewhere.
        "SELECT * FROM articles a, users u WHERE a.id = u.age AND u.age = 3",
        // Not by the key.
        "SELECT * FROM orders o, users u WHERE o.id = u.id AND u.age = 3",
        // They may be missing.
        "SELECT * FROM orders o LEFT JOIN users u ON o.user_id = u.id AND u.age = 3",
        // Not all rows are counted by the key.
        "SELECT * FROM (SELECT user_id FROM orders LIMIT 3) o, users u WHERE o.user_id = u.id AND u.age = 3",
        "SELECT * FROM (SELECT user_id, rank() OVER (ORDER BY total) FROM orders) o, users u \
         WHERE o.user_id = u.id AND u.age = 3",
        "SELECT * FROM users u WHERE age = 3 AND id NOT IN (SELECT user_id FROM orders)",
        "SELECT * FROM orders TABLESAMPLE bernoulli (3), users u WHERE user_id = u.id AND u.age = 3",
    ] {
        let told = asked(sql);
        assert!(!told.contains("EXISTS"), "{sql}: {told}");
    }
}

#[test]
fn what_follows_from_another_place_is_not_asked_for() {
    check(
        "SELECT name FROM users u, orders a \
         WHERE a.user_id = u.id AND u.age = 1 AND a.total > 5 \
           AND EXISTS (SELECT FROM orders b WHERE b.user_id = a.user_id AND b.id <> a.id) \
           AND NOT EXISTS (SELECT FROM orders c WHERE c.user_id = a.user_id AND c.note = 'x')",
        expect![[r#"
            SELECT "id", "name", "age" FROM "public"."users" AS "herd 0" WHERE ((age = 1) AND EXISTS (SELECT FROM "public"."orders" AS "herd 1" WHERE "herd 1"."user_id" = "herd 0"."id" AND ((total > 5)))) []
            SELECT "user_id", "id", "total", "note" FROM "public"."orders" AS "herd 0" WHERE (EXISTS (SELECT FROM "public"."users" AS "herd 1" WHERE "herd 1"."id" = "herd 0"."user_id" AND ((age = 1))) AND EXISTS (SELECT FROM "public"."orders" AS "herd 1" WHERE "herd 1"."user_id" = "herd 0"."user_id" AND ((total > 5)))) []
              if orders.user_id is among users.id
        "#]],
    );
}

#[test]
fn sums_of_what_is_computed_exactly_are_taken_in_parts() {
    check(
        "SELECT note, sum(total * (1 - total)), avg(o.id + user_id), sum(-total / 2.5) FROM orders o GROUP BY 1",
        expect![[r#"
            SELECT "note", sum(total * (1 - total)) AS "herd sum 0", sum(o.id + user_id) AS "herd sum 1", count(o.id + user_id) AS "herd count 1", sum(-total / 2.5) AS "herd sum 2" FROM "public"."orders" AS "o" GROUP BY "note" []
        "#]],
    );
    for argument in [
        "id * 2",
        "ceil(total)",
        "total::float8",
        "CASE WHEN total > 1 THEN total END",
        "total % 2",
        "total * length(note)",
        "coalesce(total, 0)",
        "total * $1",
        "1",
    ] {
        let told = asked(&format!("SELECT sum({argument}) FROM orders"));
        assert!(told.starts_with("SELECT \""), "{argument}: {told}");
    }
}

#[test]
fn rows_that_go_with_none_of_those_brought_before_are_left_out() {
    check(
        "SELECT * FROM articles a, users u WHERE a.author = u.id AND u.age = 3",
        expect![[r#"
            SELECT "id", "name", "country", "age" FROM "public"."users" AS "herd 0" WHERE ((age = 3)) []
            SELECT "id", "author", "title" FROM "public"."articles" []
              if articles.author is among users.id
        "#]],
    );
    check(
        "SELECT * FROM users u LEFT JOIN articles a ON a.author = u.id WHERE u.age = 3 AND u.id IN (SELECT id FROM orders)",
        expect![[r#"
            SELECT "id", "name", "country", "age" FROM "public"."users" AS "herd 0" WHERE ((age = 3)) []
            SELECT "id", "author", "title" FROM "public"."articles" []
              if articles.author is among users.id
            SELECT "user_id", "id", "total", "note" FROM "public"."orders" []
              if orders.id is among users.id
        "#]],
    );
    for sql in [
        // Of another type.
        "SELECT * FROM articles a, users u WHERE a.id = u.id AND u.age = 3",
        // They may have no partner.
        "SELECT * FROM articles a LEFT JOIN users u ON a.author = u.id AND u.age = 3",
        "SELECT * FROM articles a WHERE author NOT IN (SELECT id FROM users u WHERE u.age = 3)",
        // At one of two places only.
        "SELECT * FROM users u, articles a, articles b WHERE a.author = u.id AND u.age = 3",
        "SELECT * FROM users u, (SELECT author FROM articles LIMIT 3) a WHERE a.author = u.id AND u.age = 3",
        "SELECT * FROM users u TABLESAMPLE system (5), articles a WHERE a.author = u.id AND u.age = 3",
    ] {
        let told = asked(sql);
        assert!(!told.contains("among"), "{sql}: {told}");
    }
}

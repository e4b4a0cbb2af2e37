//! What each node is told to do of a write.

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use crate::fixture::{catalog, understood};
use crate::{Action, NoParameters, Values};

fn check(sql: &str, expect: Expect) {
    expect.assert_eq(&portions(sql));
}

fn portions(sql: &str) -> String {
    let catalog = catalog();
    let understood = understood(sql, &catalog);
    let dispatch = match &understood.plan.action {
        Action::Forward(forward) => forward.dispatch.clone(),
        _ => None,
    };
    let Some(dispatch) = dispatch else { return "none".to_owned() };
    let values =
        Values { text: sql.as_bytes(), slots: &understood.slots, parameters: &NoParameters };
    let mut told = String::new();
    let mut answers = None;
    if let Some(question) = dispatch.question(sql.as_bytes()) {
        let question = String::from_utf8(question).expect("UTF-8");
        answers = Some(vec!["then".to_owned(); question.matches("to_json").count()]);
        writeln!(told, "{question}").expect("a String takes all");
    }
    for portion in dispatch.portions(&catalog, &values, answers.as_deref()).expect("portions") {
        let text = String::from_utf8(portion.reading.text).expect("UTF-8");
        let parameters = portion.reading.parameters;
        writeln!(told, "{} {text} {parameters:?}", portion.node.0).expect("a String takes all");
    }
    told
}

#[test]
fn each_node_changes_the_rows_that_it_has() {
    check(
        "UPDATE users SET name = $1 WHERE name = 'x'",
        expect![[r#"
        1 UPDATE users SET name = $1 WHERE name = 'x' [0]
        2 UPDATE users SET name = $1 WHERE name = 'x' [0]
        3 UPDATE users SET name = $1 WHERE name = 'x' [0]
    "#]],
    );
    check(
        "DELETE FROM users u USING country c WHERE c.code = u.name RETURNING u.id",
        expect![[r#"
        1 DELETE FROM users u USING country c WHERE c.code = u.name RETURNING u.id []
        2 DELETE FROM users u USING country c WHERE c.code = u.name RETURNING u.id []
        3 DELETE FROM users u USING country c WHERE c.code = u.name RETURNING u.id []
    "#]],
    );
    check(
        "DELETE FROM users WHERE id IN (1, 2)",
        expect![[r#"
        1 DELETE FROM users WHERE id IN (1, 2) []
        3 DELETE FROM users WHERE id IN (1, 2) []
    "#]],
    );
}

#[test]
fn a_row_that_may_have_to_move_is_nobodys_alone() {
    check("UPDATE users SET id = 5 WHERE name = 'x'", expect!["none"]);
    check("UPDATE users SET name = u.name FROM users u WHERE u.id = 1", expect!["none"]);
}

#[test]
fn what_is_computed_once_must_be_the_same_everywhere() {
    check(
        "UPDATE users SET name = random()::text",
        expect![[r#"
        1 UPDATE users SET name = random()::text []
        2 UPDATE users SET name = random()::text []
        3 UPDATE users SET name = random()::text []
    "#]],
    );
    check("UPDATE users SET name = (SELECT random()::text)", expect!["none"]);
    check("UPDATE users SET name = (SELECT code FROM country LIMIT 1)", expect!["none"]);
}

#[test]
fn rows_go_to_the_nodes_of_their_keys() {
    check(
        "INSERT INTO users (name, id) VALUES ('a', 1), ('b', 2), ($1, 3), ('d', 4)",
        expect![[r#"
        1 INSERT INTO users (name, id) VALUES ('a', 1),   ('d', 4) []
        2 INSERT INTO users (name, id) VALUES   ($1, 3) [0]
        3 INSERT INTO users (name, id) VALUES  ('b', 2) []
    "#]],
    );
    check(
        "INSERT INTO users VALUES (1, 'a'), (2, 'b,(') ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING *",
        expect![[r#"
        1 INSERT INTO users VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING * []
        3 INSERT INTO users VALUES  (2, 'b,(') ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING * []
    "#]],
    );
    check("INSERT INTO users VALUES (1 + 1, 'a'), (2, 'b')", expect!["none"]);
}

#[test]
fn every_copy_of_a_reference_table_is_changed_alike() {
    check(
        "UPDATE country SET name = upper(name) WHERE code = $2",
        expect![[r#"
        1 UPDATE country SET name = upper(name) WHERE code = $1 [1]
        2 UPDATE country SET name = upper(name) WHERE code = $1 [1]
        3 UPDATE country SET name = upper(name) WHERE code = $1 [1]
    "#]],
    );
    check(
        "INSERT INTO country SELECT name, code FROM country",
        expect![[r#"
        1 INSERT INTO country SELECT name, code FROM country []
        2 INSERT INTO country SELECT name, code FROM country []
        3 INSERT INTO country SELECT name, code FROM country []
    "#]],
    );
    check("UPDATE country SET name = random()::text", expect!["none"]);
    check("DELETE FROM country WHERE code IN (SELECT name FROM users)", expect!["none"]);
}

#[test]
fn the_moment_is_the_same_on_all_nodes() {
    check(
        "UPDATE users SET name = now()::text || current_timestamp(3) RETURNING now() AS now, pg_catalog.now()",
        expect![[r#"
            SELECT pg_catalog.to_json(now()) #>> '{}', pg_catalog.to_json(current_timestamp(3)) #>> '{}', pg_catalog.to_json(now()) #>> '{}', pg_catalog.to_json(pg_catalog.now()) #>> '{}'
            1 UPDATE users SET name = (SELECT 'then'::pg_catalog.timestamptz AS "now")::text || (SELECT 'then'::pg_catalog.timestamptz AS "current_timestamp") RETURNING (SELECT 'then'::pg_catalog.timestamptz AS "now") AS now, (SELECT 'then'::pg_catalog.timestamptz AS "now") []
            2 UPDATE users SET name = (SELECT 'then'::pg_catalog.timestamptz AS "now")::text || (SELECT 'then'::pg_catalog.timestamptz AS "current_timestamp") RETURNING (SELECT 'then'::pg_catalog.timestamptz AS "now") AS now, (SELECT 'then'::pg_catalog.timestamptz AS "now") []
            3 UPDATE users SET name = (SELECT 'then'::pg_catalog.timestamptz AS "now")::text || (SELECT 'then'::pg_catalog.timestamptz AS "current_timestamp") RETURNING (SELECT 'then'::pg_catalog.timestamptz AS "now") AS now, (SELECT 'then'::pg_catalog.timestamptz AS "now") []
        "#]],
    );
    check(
        "INSERT INTO users VALUES (1, now()::text), (2, current_date::text)",
        expect![[r#"
        SELECT pg_catalog.to_json(now()) #>> '{}', pg_catalog.to_json(current_date) #>> '{}'
        1 INSERT INTO users VALUES (1, (SELECT 'then'::pg_catalog.timestamptz AS "now")::text) []
        3 INSERT INTO users VALUES  (2, (SELECT 'then'::pg_catalog.date AS "current_date")::text) []
    "#]],
    );
}

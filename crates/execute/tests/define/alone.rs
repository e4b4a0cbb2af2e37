//! Herds of a single node, and nodes that cannot take part.

use crate::herd::{Herd, PLAIN_NODE};

#[tokio::test]
async fn a_herd_of_one_node_needs_no_prepared_transactions() {
    let herd = Herd::of("alone", &[PLAIN_NODE]);
    for (sql, tag) in [
        ("CREATE SCHEMA app", "home"),
        ("CREATE TYPE mood AS ENUM ('sad')", "home"),
        ("CREATE ROLE alone_maker PASSWORD 'x'", "home"),
        ("CREATE TABLE own (id serial PRIMARY KEY)", "home"),
        ("ALTER TABLE own ADD COLUMN a text", "home"),
        (
            "CREATE TABLE t (id serial PRIMARY KEY) PARTITION BY HASH (id) WITH (herd.fragments = 4)",
            "CREATE TABLE",
        ),
        ("ALTER TABLE own ADD COLUMN b text", "home"),
        ("ALTER TABLE t ADD COLUMN b text", "ALTER TABLE"),
        ("CREATE INDEX ON t (b)", "CREATE INDEX"),
        ("CREATE INDEX CONCURRENTLY x ON t (id)", "CREATE INDEX"),
        ("TRUNCATE own, t", "TRUNCATE TABLE"),
        ("CREATE TABLE app.t (a int)", "CREATE TABLE"),
        ("DROP TABLE own, t", "DROP TABLE"),
        ("DROP ROLE alone_maker", "home"),
    ] {
        assert_eq!(herd.define(sql).await, tag, "{sql}");
    }
    assert_eq!(herd.on(PLAIN_NODE, "SELECT count(*) FROM pg_class WHERE relname ~ '^t(_|$)'"), "1");
    assert!(!herd.catalog().has_tables());
    herd.assert_settled();
}

#[tokio::test]
async fn a_node_that_prepares_nothing_is_named_with_what_to_set() {
    let herd = Herd::of("unprepared", &[1, PLAIN_NODE]);
    let refused = herd.refused("CREATE TYPE mood AS ENUM ('sad')").await;
    assert!(refused.contains("node \"n4\" cannot take part"), "{refused}");
    assert_eq!(herd.everywhere("SELECT to_regtype('mood')"), "");
    assert_eq!(herd.define("CREATE TABLE own (id int)").await, "home");
    herd.assert_settled();
}

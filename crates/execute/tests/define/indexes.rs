//! Indexes.

use crate::herd::Herd;

async fn with_tables(database: &str) -> Herd {
    let herd = Herd::start(database);
    herd.define(
        "CREATE TABLE t (id int PRIMARY KEY, a text, b int) PARTITION BY HASH (id) \
         WITH (herd.fragments = 4)",
    )
    .await;
    herd.define("CREATE TABLE r (id int PRIMARY KEY, a text) WITH (herd.reference = true)").await;
    herd.define("CREATE TABLE own (id int PRIMARY KEY, a text)").await;
    herd
}

/// Valid indexes on tables of these names, fragments included.
fn valid(table: &str) -> String {
    format!(
        "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = indrelid \
         WHERE indisvalid AND NOT indisprimary AND relname ~ '^{table}'"
    )
}

#[tokio::test]
async fn an_index_is_on_every_node_under_one_name() {
    let herd = with_tables("index_names").await;
    let _ = herd.on(1, "CREATE INDEX t_a_idx ON own (a)");
    herd.define("CREATE INDEX ON t (a)").await;
    assert_eq!(herd.everywhere("SELECT 't_a_idx1'::regclass"), "t_a_idx1");
    herd.define("CREATE UNIQUE INDEX pair ON ONLY t (id, a)").await;
    assert!(herd.refused("CREATE UNIQUE INDEX ON t (a)").await.contains("must include all"));
    herd.define("ALTER INDEX pair RENAME TO one").await;
    assert_eq!(herd.everywhere("SELECT 'one'::regclass"), "one");
    herd.define("COMMENT ON INDEX one IS 'x'").await;
    assert_eq!(herd.everywhere("SELECT obj_description('one'::regclass)"), "x");
    herd.define("REINDEX INDEX one").await;
    herd.define("REINDEX TABLE t").await;
    herd.define("CLUSTER t USING one").await;
    herd.define("DROP INDEX IF EXISTS one, t_a_idx, t_a_idx1, nothing").await;
    assert_eq!(herd.everywhere(&valid("t")), "0");
    assert_eq!(herd.on(1, "SELECT to_regclass('t_a_idx')"), "");
    assert!(herd.refused("DROP INDEX nothing").await.contains("42704"));
    herd.assert_settled();
}

#[tokio::test]
async fn an_index_is_built_concurrently_on_every_fragment() {
    let herd = with_tables("index_concurrent").await;
    herd.define("CREATE INDEX CONCURRENTLY ON t (b DESC, lower(a)) WHERE b > 0").await;
    assert_eq!(
        herd.everywhere(
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_b_expr_idx'::regclass"
        ),
        "t"
    );
    assert_eq!(herd.on(1, &valid("t")), "3");
    assert_eq!(herd.on(2, &valid("t")), "2");
    herd.define("CREATE INDEX CONCURRENTLY IF NOT EXISTS r_a ON r (a)").await;
    assert_eq!(herd.everywhere(&valid("r")), "1");
    assert_eq!(herd.define("CREATE INDEX CONCURRENTLY IF NOT EXISTS r_a ON r (a)").await, "home");
    herd.define("DROP INDEX CONCURRENTLY t_b_expr_idx, r_a").await;
    assert_eq!(herd.everywhere(&valid("t")), "0");
    herd.assert_settled();
}

#[tokio::test]
async fn an_index_that_fails_halfway_is_taken_away_everywhere() {
    let herd = with_tables("index_failure").await;
    let _ = herd.on(3, "INSERT INTO r VALUES (1, 'x'), (2, 'x')");
    let refused = herd.refused("CREATE UNIQUE INDEX CONCURRENTLY u ON r (a)").await;
    assert!(refused.contains("could not create unique index"), "{refused}");
    assert_eq!(herd.everywhere("SELECT to_regclass('u')"), "");
    let _ = herd.on(
        1,
        "DO $$ BEGIN FOR k IN 1..20 LOOP BEGIN INSERT INTO t VALUES (k, 'x'); \
                        EXCEPTION WHEN check_violation THEN NULL; END; END LOOP; END $$",
    );
    let refused = herd.refused("CREATE INDEX CONCURRENTLY broken ON t ((1 / (id - id)))").await;
    assert!(refused.contains("division by zero"), "{refused}");
    assert_eq!(herd.everywhere("SELECT count(*) FROM pg_class WHERE relname ~ '^broken'"), "0");
    herd.assert_settled();
}

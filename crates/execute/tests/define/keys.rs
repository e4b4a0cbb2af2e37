//! Foreign keys between tables that lie on several nodes.

use crate::herd::Herd;

async fn shop(database: &str) -> Herd {
    let herd = Herd::start(database);
    let hash = "WITH (herd.fragments = 4)";
    herd.define(&format!(
        "CREATE TABLE users (id int PRIMARY KEY, name text) PARTITION BY HASH (id) {hash}"
    ))
    .await;
    herd.define("CREATE TABLE country (code text PRIMARY KEY) WITH (herd.reference = true)").await;
    herd.define("CREATE TABLE own (id int PRIMARY KEY)").await;
    herd
}

const LEAF_KEYS: &str = "SELECT string_agg(conrelid::regclass || ' ' || conname || ' ' || \
                         confrelid::regclass, ',' ORDER BY conrelid::regclass::text, conname) \
                         FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 \
                         AND conrelid IN (SELECT oid FROM pg_class WHERE relispartition)";

#[tokio::test]
async fn keys_within_a_family_hold_from_fragment_to_fragment() {
    let herd = shop("family_keys").await;
    herd.define(
        "CREATE TABLE orders (uid int REFERENCES users ON DELETE CASCADE, n int, \
         code text REFERENCES country (code), PRIMARY KEY (uid, n)) \
         PARTITION BY HASH (uid) WITH (herd.fragments = 4)",
    )
    .await;
    assert_eq!(
        herd.on(1, LEAF_KEYS),
        "orders_0 orders_uid_fkey users_0,orders_3 orders_uid_fkey users_3"
    );
    assert_eq!(herd.on(2, LEAF_KEYS), "orders_1 orders_uid_fkey users_1");
    herd.define(
        "CREATE TABLE items (uid int, n int, item int, PRIMARY KEY (uid, n, item), \
         CONSTRAINT of_order FOREIGN KEY (uid, n) REFERENCES orders) \
         PARTITION BY HASH (uid) WITH (herd.like = 'orders')",
    )
    .await;
    assert!(herd.on(2, LEAF_KEYS).starts_with("items_1 of_order orders_1,"));
    let insert = "INSERT INTO orders SELECT id, 1 FROM users";
    for node in 1..=3 {
        let _ = herd.on(
            node,
            "DO $$ BEGIN FOR k IN 1..40 LOOP BEGIN INSERT INTO users VALUES (k); \
                               EXCEPTION WHEN check_violation THEN NULL; END; END LOOP; END $$",
        );
        let _ = herd.on(node, insert);
        assert_ne!(herd.on(node, "SELECT count(*) FROM orders"), "0");
        let _ = herd.on(node, "DELETE FROM users");
        assert_eq!(herd.on(node, "SELECT count(*) FROM orders"), "0");
    }
    herd.define("ALTER TABLE items DROP CONSTRAINT of_order").await;
    herd.define("ALTER TABLE items ADD FOREIGN KEY (uid, n) REFERENCES orders (uid, n) NOT VALID")
        .await;
    herd.define("ALTER TABLE items VALIDATE CONSTRAINT items_uid_n_fkey").await;
    herd.define("ALTER TABLE items RENAME CONSTRAINT items_uid_n_fkey TO again").await;
    assert!(
        herd.on(2, LEAF_KEYS).starts_with("items_1 again orders_1,"),
        "{}",
        herd.on(2, LEAF_KEYS)
    );
    assert!(herd.refused("DROP TABLE orders").await.contains("other objects depend on it"));
    herd.define("DROP TABLE orders CASCADE").await;
    assert_eq!(herd.everywhere(LEAF_KEYS), "");
    herd.assert_settled();
}

#[tokio::test]
async fn keys_that_no_node_could_check_are_refused() {
    let herd = shop("refused_keys").await;
    let hash = "PARTITION BY HASH (id) WITH (herd.fragments = 4)";
    for (sql, reason) in [
        (format!("CREATE TABLE t (id int, u int REFERENCES users) {hash}"), "\"users\""),
        (format!("CREATE TABLE t (id bigint REFERENCES users) {hash}"), "\"users\""),
        (format!("CREATE TABLE t (id int REFERENCES own) {hash}"), "\"own\""),
        (
            "CREATE TABLE t (id int REFERENCES users) WITH (herd.reference = true)".into(),
            "\"users\"",
        ),
        ("CREATE TABLE t (id int REFERENCES own) WITH (herd.reference = true)".into(), "\"own\""),
        ("CREATE TABLE t (id int REFERENCES users)".into(), "home node cannot have"),
        ("ALTER TABLE own ADD FOREIGN KEY (id) REFERENCES users".into(), "home node cannot have"),
        ("ALTER TABLE country ADD u int REFERENCES users".into(), "\"users\""),
        ("ALTER TABLE users ADD c int REFERENCES own".into(), "\"own\""),
    ] {
        let refused = herd.refused(&sql).await;
        assert!(refused.contains("foreign key") && refused.contains(reason), "{sql}: {refused}");
    }
    herd.define("CREATE TABLE home_child (c text REFERENCES country)").await;
    herd.define("CREATE TABLE region (id int PRIMARY KEY, c text REFERENCES country) WITH (herd.reference = true)").await;
    herd.assert_settled();
}

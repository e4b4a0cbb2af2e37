//! CREATE, DROP and TRUNCATE of tables.

use crate::herd::Herd;

/// The fragments on a node, with the options of their storage.
const FRAGMENTS: &str = "SELECT string_agg(relname || coalesce(reloptions::text, ''), ',' \
                         ORDER BY relname) FROM pg_class WHERE relispartition AND relkind = 'r'";

#[tokio::test]
async fn a_hash_table_is_a_parent_everywhere_and_each_fragment_once() {
    let herd = Herd::start("hash_table");
    let tag = herd
        .define(
            "CREATE TABLE users (uid bigint PRIMARY KEY, region text, name text DEFAULT 'x') \
             PARTITION BY HASH (uid) WITH (herd.fragments = 6, fillfactor = 70);",
        )
        .await;
    assert_eq!(tag, "CREATE TABLE");
    assert_eq!(herd.everywhere("SELECT relkind FROM pg_class WHERE relname = 'users'"), "p");
    assert_eq!(herd.on(1, FRAGMENTS), "users_0{fillfactor=70},users_3{fillfactor=70}");
    assert_eq!(herd.on(2, FRAGMENTS), "users_1{fillfactor=70},users_4{fillfactor=70}");
    assert_eq!(herd.on(3, FRAGMENTS), "users_2{fillfactor=70},users_5{fillfactor=70}");
    let catalog = herd.catalog();
    let table = catalog.tables().next().unwrap();
    assert_eq!(table.name.to_string(), "public.users");
    assert_eq!(table.columns.len(), 3);
    assert!(table.columns[2].has_default);
    herd.assert_settled();
}

#[tokio::test]
async fn what_exists_is_said_to_exist() {
    let herd = Herd::start("existing");
    let create = "(id int PRIMARY KEY) PARTITION BY HASH (id) WITH (herd.fragments = 2)";
    herd.define("CREATE TABLE own (a int)").await;
    assert!(herd.refused(&format!("CREATE TABLE own {create}")).await.contains("42P07"));
    assert_eq!(herd.define(&format!("CREATE TABLE IF NOT EXISTS own {create}")).await, "home");
    herd.define(&format!("CREATE TABLE IF NOT EXISTS t {create}")).await;
    assert_eq!(herd.define(&format!("CREATE TABLE IF NOT EXISTS t {create}")).await, "home");
    assert!(herd.refused(&format!("CREATE TABLE t {create}")).await.contains("42P07"));
    herd.define("CREATE TABLE u_1 (a int)").await;
    let refused = herd.refused(&format!("CREATE TABLE u {create}")).await;
    assert!(refused.contains("\"u_1\" already exists"), "{refused}");
    herd.assert_settled();
}

#[tokio::test]
async fn serial_and_identity_numbers_are_unique_over_nodes_and_small() {
    let herd = Herd::start("serials");
    herd.define(
        "CREATE TABLE t (k int, id bigserial, n int GENERATED ALWAYS AS IDENTITY, s smallserial, \
         PRIMARY KEY (k, id)) PARTITION BY HASH (k) WITH (herd.fragments = 3)",
    )
    .await;
    herd.define("ALTER TABLE t ADD COLUMN late serial, ADD COLUMN d text DEFAULT 'd' NOT NULL")
        .await;
    let mut seen = std::collections::BTreeSet::new();
    for node in 1..=3 {
        // Keys that are here: any that this node's fragment takes.
        let insert = "DO $$ DECLARE k int := 0; n int := 0; BEGIN WHILE n < 20 LOOP k := k + 1; \
                      BEGIN INSERT INTO t (k) VALUES (k); n := n + 1; \
                      EXCEPTION WHEN check_violation THEN NULL; END; END LOOP; END $$";
        let _ = herd.on(node, insert);
        for row in herd.on(node, "SELECT id, n, s, late FROM t").lines() {
            let numbers = row.split('\t').map(|n| n.parse::<i64>().unwrap()).collect::<Vec<_>>();
            assert!(numbers.iter().all(|n| *n > 0 && *n < 4000), "{row}");
            for (column, number) in numbers.into_iter().enumerate() {
                assert!(seen.insert((column, number)), "column {column}: {number} twice");
            }
        }
    }
    assert_eq!(seen.len(), 240);
    assert_eq!(herd.everywhere("SELECT pg_get_serial_sequence('t', 'late')"), "public.t_late_seq");
    herd.define("TRUNCATE t RESTART IDENTITY").await;
    assert_eq!(herd.everywhere("SELECT count(*) FROM t"), "0");
    herd.define("DROP TABLE t").await;
    assert_eq!(herd.everywhere("SELECT count(*) FROM pg_class WHERE relkind = 'S'"), "0");
    assert!(!herd.catalog().has_tables());
    herd.assert_settled();
}

#[tokio::test]
async fn list_and_range_fragments_lie_where_they_are_told() {
    let herd = Herd::start("lists");
    herd.define(
        "CREATE TABLE rank (day date, granularity text, aids bigint[], \
         PRIMARY KEY (granularity, day)) PARTITION BY LIST (granularity) \
         WITH (herd.fragmented = true)",
    )
    .await;
    for (name, value, place) in [
        ("daily", "'daily'", "herd.node = 'n1'"),
        ("weekly", "'weekly', 'monthly'", "herd.dc = west"),
    ] {
        herd.define(&format!(
            "CREATE TABLE rank_{name} PARTITION OF rank FOR VALUES IN ({value}) WITH ({place})"
        ))
        .await;
    }
    assert_eq!(herd.on(1, FRAGMENTS), "rank_daily");
    assert_eq!(herd.on(2, FRAGMENTS), "rank_weekly");
    assert_eq!(herd.on(3, FRAGMENTS), "");
    let overlap =
        "CREATE TABLE other PARTITION OF rank FOR VALUES IN ('weekly') WITH (herd.node = n3)";
    assert!(herd.refused(overlap).await.contains("would overlap"));
    let unknown = "CREATE TABLE other PARTITION OF rank FOR VALUES IN ('x') WITH (herd.node = n9)";
    assert!(herd.refused(unknown).await.contains("node \"n9\" does not exist"));
    herd.define("ALTER TABLE rank_weekly RENAME TO rank_slow").await;
    assert_eq!(herd.on(2, FRAGMENTS), "rank_slow");
    herd.define("DROP TABLE rank_slow").await;
    assert_eq!(herd.on(2, FRAGMENTS), "");
    assert_eq!(
        herd.catalog().tables().next().unwrap().fragmentation().unwrap().fragments().len(),
        1
    );

    herd.define(
        "CREATE TABLE log (at timestamptz, n numeric(10,2)) PARTITION BY RANGE (at, n) \
         WITH (herd.fragmented = true)",
    )
    .await;
    herd.define(
        "CREATE TABLE log_old PARTITION OF log \
         FOR VALUES FROM (MINVALUE, MINVALUE) TO ('2020-01-01 00:00:00+00', 5.5)",
    )
    .await;
    let unsure = "CREATE TABLE log_new PARTITION OF log FOR VALUES FROM ('2020-01-01', 6) TO (MAXVALUE, MAXVALUE)";
    let refused = herd.refused(unsure).await;
    assert!(refused.contains("depends on the server"), "{refused}");
    herd.define("DROP TABLE log, rank").await;
    herd.assert_settled();
}

#[tokio::test]
async fn a_default_fragment_keeps_others_from_taking_its_rows() {
    let herd = Herd::start("defaults");
    herd.define("CREATE TABLE t (k int) PARTITION BY LIST (k) WITH (herd.fragmented = true)").await;
    herd.define("CREATE TABLE t_rest PARTITION OF t DEFAULT WITH (herd.node = 'n2')").await;
    let _ = herd.on(2, "INSERT INTO t VALUES (7)");
    let seven = "CREATE TABLE t_7 PARTITION OF t FOR VALUES IN (7) WITH (herd.node = 'n3')";
    assert!(herd.refused(seven).await.contains("would be violated by some row"));
    let _ = herd.on(2, "DELETE FROM t");
    herd.define(seven).await;
    assert_eq!(herd.on(2, FRAGMENTS), "t_rest");
    assert_eq!(herd.on(3, FRAGMENTS), "t_7");
    herd.assert_settled();
}

#[tokio::test]
async fn a_reference_table_is_the_same_on_every_node() {
    let herd = Herd::start("references_");
    herd.define(
        "CREATE TABLE country (code text PRIMARY KEY, name text, \
         parent text REFERENCES country) WITH (herd.reference = true, fillfactor = 90)",
    )
    .await;
    let reloptions = "SELECT reloptions FROM pg_class WHERE relname = 'country'";
    assert_eq!(herd.everywhere(reloptions), "{fillfactor=90}");
    let changed = "ALTER TABLE country ADD COLUMN at timestamptz DEFAULT now(), DROP COLUMN name";
    for node in 1..=3 {
        let _ = herd.on(node, "INSERT INTO country VALUES ('x')");
    }
    herd.define(changed).await;
    // All copies have the same time.
    let _ = herd.everywhere("SELECT at FROM country");
    assert_eq!(
        herd.everywhere(
            "SELECT column_default FROM information_schema.columns WHERE column_name = 'at'"
        ),
        "now()"
    );
    let volatile = "ALTER TABLE country ADD COLUMN r float8 DEFAULT random()";
    assert!(herd.refused(volatile).await.contains("other values on each node"));
    assert!(herd.refused("ALTER TABLE country ADD COLUMN s serial").await.contains("differently"));
    let columns = herd.catalog().tables().next().unwrap().columns.clone();
    let names = columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>();
    assert_eq!(names, ["code", "parent", "at"]);
    herd.define("TRUNCATE TABLE ONLY country").await;
    assert_eq!(herd.everywhere("SELECT count(*) FROM country"), "0");
    herd.assert_settled();
}

#[tokio::test]
async fn tables_are_fragmented_by_their_key_when_the_session_says_so() {
    let mut herd = Herd::start("automatic");
    herd.auto_fragment = Some("hash:3");
    let kind_of = |herd: &Herd, name: &str| {
        let catalog = herd.catalog();
        let table = catalog.tables().find(|table| table.name.name == name);
        table.map(|table| {
            let cut = table.fragmentation().unwrap();
            table.columns[cut.key()[0].column].name.clone()
        })
    };
    herd.define("CREATE TABLE a (id bigint PRIMARY KEY, x text)").await;
    herd.define("CREATE TABLE b (x text, y int UNIQUE) WITH (fillfactor = 50)").await;
    herd.define("CREATE TABLE c (e \"char\", y int, PRIMARY KEY (e, y))").await;
    herd.define("CREATE TABLE d (id int PRIMARY KEY, mail text UNIQUE)").await;
    herd.define("CREATE TABLE e (x text)").await;
    herd.define("CREATE TABLE f (id bigint REFERENCES a, n int, PRIMARY KEY (n, id))").await;
    herd.define("CREATE TABLE g (id bigint PRIMARY KEY REFERENCES a)").await;
    herd.define("CREATE TABLE h (id serial PRIMARY KEY, up int REFERENCES h)").await;
    assert_eq!(kind_of(&herd, "a").as_deref(), Some("id"));
    assert_eq!(kind_of(&herd, "b").as_deref(), Some("y"));
    assert_eq!(kind_of(&herd, "c").as_deref(), Some("y"));
    assert_eq!(kind_of(&herd, "d"), None);
    assert_eq!(kind_of(&herd, "e"), None);
    assert_eq!(kind_of(&herd, "f").as_deref(), Some("id"));
    assert_eq!(kind_of(&herd, "g").as_deref(), Some("id"));
    assert_eq!(kind_of(&herd, "h"), None);
    herd.assert_settled();
}

#[tokio::test]
async fn what_cannot_work_is_refused_with_the_reason() {
    let herd = Herd::start("refusals");
    herd.define("CREATE TYPE mood AS ENUM ('sad', 'happy')").await;
    herd.define("CREATE SEQUENCE s").await;
    herd.define("CREATE TABLE own (id int PRIMARY KEY)").await;
    let hash = "PARTITION BY HASH (id) WITH (herd.fragments = 2)";
    for (sql, reason) in [
        (format!("CREATE TABLE t (id mood PRIMARY KEY) {hash}"), "cannot be a fragment key"),
        (
            format!("CREATE TABLE t (id int, x int UNIQUE) {hash}"),
            "must include all partitioning columns",
        ),
        (format!("CREATE TABLE t (a int) {hash}"), "\"id\" named in partition key does not exist"),
        (
            format!("CREATE TABLE t (id int DEFAULT nextval('s')) {hash}"),
            "sequence of the home node",
        ),
        (
            format!("CREATE TABLE t (id int REFERENCES own) {hash}"),
            "cannot have a foreign key to \"own\"",
        ),
        (
            format!("CREATE TABLE t (LIKE own) {hash}"),
            "LIKE names a table that only the home node has",
        ),
        (format!("CREATE TABLE t (id int) INHERITS (own) {hash}"), "cannot inherit"),
        (format!("CREATE TEMP TABLE t (id int) {hash}"), "and not a temporary one"),
        (
            format!("CREATE TABLE t (id int, EXCLUDE (id WITH =)) {hash}"),
            "cannot be on a fragmented table",
        ),
        (
            "CREATE TABLE t (id int) PARTITION BY HASH (id) WITH (herd.shards = 2)".into(),
            "unrecognized parameter \"herd.shards\"",
        ),
        ("CREATE TABLE t (id int) WITH (herd.fragments = 2)".into(), "needs a fragment key"),
        (
            "CREATE TABLE t (id int) PARTITION BY HASH ((id + 1)) WITH (herd.fragments = 2)".into(),
            "plain columns",
        ),
        (
            "CREATE TABLE t (id text) PARTITION BY RANGE (id) WITH (herd.fragmented = true)".into(),
            "cannot be a fragment key",
        ),
        (
            "CREATE TABLE pg_class (id int) PARTITION BY HASH (id) WITH (herd.fragments = 2)"
                .into(),
            "would hide",
        ),
        ("CREATE TABLE t WITH (herd.fragments = 2) AS SELECT 1".into(), "list of columns"),
    ] {
        let refused = herd.refused(&sql).await;
        assert!(refused.contains(reason), "{sql}: {refused}");
    }
    assert!(!herd.catalog().has_tables());
    assert_eq!(herd.everywhere("SELECT count(*) FROM pg_class WHERE relname = 't'"), "0");
    herd.assert_settled();
}

#[tokio::test]
async fn home_relations_that_bear_a_logical_name_are_known() {
    let herd = Herd::start("shadows");
    herd.define("CREATE SCHEMA mine").await;
    let _ = herd.on(1, "CREATE TABLE mine.users (x int); CREATE TABLE own (x int);");
    herd.define(
        "CREATE TABLE users (id int PRIMARY KEY) PARTITION BY HASH (id) WITH (herd.fragments = 2)",
    )
    .await;
    let shadows = |herd: &Herd| {
        let catalog = herd.catalog();
        let mut names = catalog.shadows().map(ToString::to_string).collect::<Vec<_>>();
        names.sort();
        names.join(",")
    };
    assert_eq!(shadows(&herd), "mine.users");
    herd.define("CREATE VIEW mine.users_1 AS SELECT 1 AS x").await;
    assert_eq!(shadows(&herd), "mine.users,mine.users_1");
    for sql in [
        "CREATE TABLE users_1 (x int)",
        "CREATE VIEW public.users_1 AS SELECT 1",
        "ALTER VIEW mine.users_1 SET SCHEMA public",
        "ALTER TABLE own RENAME TO users_1",
    ] {
        assert!(herd.refused(sql).await.contains("\"users_1\" already exists"), "{sql}");
    }
    herd.define("ALTER TABLE mine.users RENAME TO people").await;
    assert_eq!(shadows(&herd), "mine.users_1");
    herd.define("DROP VIEW mine.users_1").await;
    assert_eq!(shadows(&herd), "");
    assert!(herd.refused("CREATE TEMP TABLE users (x int)").await.contains("0A000"));
    herd.define("DROP SCHEMA public CASCADE").await;
    assert!(!herd.catalog().has_tables());
    herd.assert_settled();
}

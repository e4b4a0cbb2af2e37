//! ALTER TABLE.

use crate::herd::Herd;

async fn with_table(database: &str) -> Herd {
    let herd = Herd::start(database);
    herd.define(
        "CREATE TABLE t (id int, a text, b int, PRIMARY KEY (id)) PARTITION BY HASH (id) \
         WITH (herd.fragments = 4)",
    )
    .await;
    herd
}

fn columns(herd: &Herd) -> String {
    let catalog = herd.catalog();
    let table = catalog.tables().next().unwrap();
    let names = table.columns.iter().map(|column| format!("{} {}", column.name, column.type_name));
    let key = table.fragmentation().map(|cut| table.columns[cut.key()[0].column].name.clone());
    format!("{} by {}", names.collect::<Vec<_>>().join(", "), key.unwrap_or_default())
}

#[tokio::test]
async fn columns_follow_every_change() {
    let herd = with_table("alter_columns").await;
    herd.define("ALTER TABLE ONLY t ADD COLUMN c varchar(10) DEFAULT 'x', DROP COLUMN a").await;
    assert_eq!(columns(&herd), "id integer, b integer, c character varying(10) by id");
    herd.define("ALTER TABLE t RENAME COLUMN id TO key").await;
    herd.define("ALTER TABLE t ALTER b TYPE bigint USING b * 2, ALTER c SET NOT NULL").await;
    assert_eq!(columns(&herd), "key integer, b bigint, c character varying(10) by key");
    assert!(herd.refused("ALTER TABLE t DROP COLUMN key").await.contains("partition key"));
    assert!(herd.refused("ALTER TABLE t ALTER key TYPE bigint").await.contains("partition key"));
    assert!(herd.refused("ALTER TABLE t ALTER b SET DEFAULT nextval('x')").await.contains("0A000"));
    herd.define("CREATE DOMAIN posint AS int CHECK (VALUE > 0)").await;
    herd.define("ALTER TABLE t ADD p posint").await;
    herd.define("ALTER DOMAIN posint RENAME TO positive").await;
    assert_eq!(columns(&herd), "key integer, b bigint, c character varying(10), p positive by key");
    herd.define("DROP DOMAIN positive CASCADE").await;
    assert_eq!(columns(&herd), "key integer, b bigint, c character varying(10) by key");
    herd.assert_settled();
}

#[tokio::test]
async fn a_table_and_its_fragments_move_together() {
    let herd = with_table("alter_names").await;
    herd.define("CREATE SCHEMA other").await;
    herd.define("ALTER TABLE t RENAME TO u").await;
    herd.define("ALTER TABLE u SET SCHEMA other").await;
    let fragments = "SELECT string_agg(oid::regclass::text, ',' ORDER BY relname) FROM pg_class \
                     WHERE relispartition AND relkind = 'r'";
    assert_eq!(herd.on(1, fragments), "other.u_0,other.u_3");
    let catalog = herd.catalog();
    let table = catalog.tables().next().unwrap();
    assert_eq!(table.name.to_string(), "other.u");
    assert_eq!(table.fragmentation().unwrap().fragments()[3].name.to_string(), "other.u_3");
    herd.define("ALTER SCHEMA other RENAME TO another").await;
    assert_eq!(herd.catalog().tables().next().unwrap().name.to_string(), "another.u");
    // The names are free again.
    herd.define("CREATE TABLE t (id int) PARTITION BY HASH (id) WITH (herd.fragments = 4)").await;
    herd.define("DROP SCHEMA another CASCADE").await;
    assert_eq!(herd.catalog().tables().count(), 1);
    herd.assert_settled();
}

#[tokio::test]
async fn what_a_parent_cannot_pass_on_reaches_the_fragments() {
    let herd = with_table("alter_fragments").await;
    let role = format!("owner_{}", std::process::id());
    herd.define(&format!("CREATE ROLE {role}")).await;
    herd.define(&format!("ALTER TABLE t OWNER TO {role}")).await;
    herd.define("ALTER TABLE t SET (fillfactor = 60)").await;
    herd.define("ALTER TABLE t REPLICA IDENTITY FULL, ENABLE ROW LEVEL SECURITY").await;
    herd.define("ALTER TABLE t ADD CONSTRAINT positive CHECK (b > 0)").await;
    let same = format!(
        "SELECT DISTINCT reloptions, relowner = '{role}'::regrole, relreplident, \
         (SELECT count(*) FROM pg_constraint WHERE conrelid = c.oid AND conname = 'positive') \
         FROM pg_class c WHERE relispartition AND relkind = 'r'"
    );
    assert_eq!(herd.everywhere(&same), "{fillfactor=60}\tt\tf\t1");
    herd.define("ALTER TABLE t VALIDATE CONSTRAINT positive").await;
    herd.define("ALTER TABLE t DROP CONSTRAINT IF EXISTS positive").await;
    assert!(herd.refused("ALTER TABLE t SET (herd.fragments = 8)").await.contains("0A000"));
    assert!(herd.refused("ALTER TABLE t DETACH PARTITION t_1").await.contains("by Herd"));
    assert!(herd.refused("ALTER TABLE t_1 ADD COLUMN x int").await.contains("single fragment"));
    assert!(herd.refused("DROP TABLE t_1").await.contains("cannot be dropped alone"));
    herd.define("DROP TABLE t").await;
    herd.define(&format!("DROP ROLE {role}")).await;
    herd.assert_settled();
}

#[tokio::test]
async fn a_failure_on_one_node_changes_nothing_anywhere() {
    let herd = with_table("alter_failure").await;
    let _ = herd.on(
        2,
        "DO $$ BEGIN FOR k IN 1..20 LOOP BEGIN INSERT INTO t VALUES (k, 'a', -1); \
                        EXCEPTION WHEN check_violation THEN NULL; END; END LOOP; END $$",
    );
    let refused = herd.refused("ALTER TABLE t ADD CHECK (b > 0), ADD COLUMN c int").await;
    assert!(refused.contains("is violated by some row"), "{refused}");
    assert_eq!(columns(&herd), "id integer, a text, b integer by id");
    let count = "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0";
    assert_eq!(herd.everywhere(count), "3");
    herd.assert_settled();
}

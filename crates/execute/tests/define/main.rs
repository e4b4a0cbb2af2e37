//! Definitions on three real servers.

mod herd;

use herd::Herd;

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
    let leaves = "SELECT string_agg(relname || coalesce(reloptions::text, ''), ',' ORDER BY relname) \
                  FROM pg_class WHERE relispartition AND relkind = 'r'";
    assert_eq!(herd.on(1, leaves), "users_0{fillfactor=70},users_3{fillfactor=70}");
    assert_eq!(herd.on(2, leaves), "users_1{fillfactor=70},users_4{fillfactor=70}");
    assert_eq!(herd.on(3, leaves), "users_2{fillfactor=70},users_5{fillfactor=70}");
    let catalog = herd.catalog();
    let table = catalog.tables().next().unwrap();
    assert_eq!(table.name.to_string(), "public.users");
    assert_eq!(table.columns.len(), 3);
    assert!(table.columns[2].has_default);
    for fragment in table.fragmentation().unwrap().fragments() {
        let on = herd.on(fragment.primary.0, &format!("SELECT to_regclass('{}')", fragment.name));
        assert!(!on.is_empty());
    }
    herd.assert_settled();
}

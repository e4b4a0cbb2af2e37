//! What changes do, and which are refused.

use herd_types::{FragmentId, NodeId, SqlState, TableId};

use super::fixtures::{
    With, column, family, fragmented, fragments, hash, hash_fragment, herd, id, list,
    list_fragment, node, reference, with_family,
};
use super::{Change, FragmentSpec, NodeSpec, NodeWish};
use crate::{
    Bound, Catalog, CatalogError, CatalogRecord, Column, KeyType, KeyValue, Limit, Method,
    NodeRole, NodeStatus, Resolved, SearchPath, TableName,
};

#[test]
fn indexes_of_fragments_are_not_used_twice() {
    let any = NodeWish::Any;
    let catalog = herd(1).with(&list("a", "text", &[("a_x", "x", any.clone())]));
    let table = id(&catalog, "a");
    let catalog = catalog.with(&Change::DropFragment(FragmentId { table, index: 0 }));
    let fragment = list_fragment("a_x", "x", any);
    let catalog = catalog.with(&Change::AddFragment { table, fragment });
    assert_eq!(fragments(&catalog, "a")[0].id, FragmentId { table, index: 1 });
}

#[test]
fn ids_of_dropped_tables_are_not_used_twice() {
    let catalog = herd(2).with(&hash("a", 2));
    let (table, group) = (id(&catalog, "a"), family(&catalog, "a"));
    let catalog = catalog.with(&Change::DropTable(table));
    assert!(!catalog.has_tables());
    assert_eq!(catalog.families().count(), 0);
    let catalog = catalog.with(&hash("a", 2));
    assert!(id(&catalog, "a") > table);
    assert!(family(&catalog, "a") > group);
}

#[test]
fn overlaps_are_refused_even_on_different_nodes() {
    let range = |name: &str, from: &str, to: &str| FragmentSpec {
        name: TableName::new("public", name),
        bound: Bound::Range {
            from: vec![Limit::Value(from.to_owned())],
            to: vec![Limit::Value(to.to_owned())],
        },
        node: NodeWish::Any,
    };
    let pieces = vec![range("r1", "0", "10"), range("r2", "9", "20")];
    let refused = herd(2).apply(&fragmented("r", Method::Range, "bigint", pieces));
    let error = refused.expect_err("9 is in both");
    assert!(matches!(error, CatalogError::Overlap { .. }));
    assert_eq!(error.sqlstate(), SqlState::INVALID_OBJECT_DEFINITION);

    let catalog = herd(2).with(&list("l", "bigint", &[("l1", "1", NodeWish::Any)]));
    let fragment = list_fragment("l2", "01", NodeWish::Any);
    let refused = catalog.apply(&Change::AddFragment { table: id(&catalog, "l"), fragment });
    assert!(matches!(refused, Err(CatalogError::Overlap { .. })));

    let halves = vec![hash_fragment("h1", 2, 0), hash_fragment("h2", 4, 2)];
    let refused = herd(2).apply(&fragmented("h", Method::Hash, "bigint", halves));
    assert!(matches!(refused, Err(CatalogError::Overlap { .. })));
}

#[test]
fn bounds_that_mean_nothing_are_refused() {
    let refuse = |method, type_name: &str, bound| {
        let fragment =
            FragmentSpec { name: TableName::new("public", "f"), bound, node: NodeWish::Any };
        let refused = herd(1).apply(&fragmented("t", method, type_name, vec![fragment]));
        assert!(matches!(refused, Err(CatalogError::Bound { .. })), "{refused:?}");
    };
    let value = |text: &str| vec![Limit::Value(text.to_owned())];
    let list = |text: &str| Bound::List { values: vec![Some(text.to_owned())] };
    refuse(Method::Hash, "bigint", Bound::Default);
    refuse(Method::Hash, "bigint", Bound::Hash { modulus: 4, remainder: 4 });
    refuse(Method::Hash, "bigint", Bound::Hash { modulus: 0, remainder: 0 });
    refuse(Method::Hash, "bigint", list("1"));
    refuse(Method::List, "bigint", Bound::List { values: Vec::new() });
    refuse(Method::List, "bigint", list("one"));
    refuse(Method::List, "timestamp with time zone", list("2020-01-01 00:00:00"));
    refuse(Method::List, "character varying(2)", list("abc"));
    refuse(Method::Range, "bigint", Bound::Range { from: value("2"), to: value("2") });
    refuse(Method::Range, "bigint", Bound::Range { from: value("2"), to: Vec::new() });
}

#[test]
fn moduli_must_divide_one_another() {
    let pieces = vec![hash_fragment("h1", 4, 0), hash_fragment("h2", 6, 1)];
    let refused = herd(1).apply(&fragmented("h", Method::Hash, "bigint", pieces));
    assert_eq!(refused.err(), Some(CatalogError::Moduli { smaller: 4, larger: 6 }));
}

#[test]
fn keys_of_other_types_are_refused() {
    for type_name in ["public.mood", "real", "json", "interval", "bigint[]"] {
        let refused = herd(1).apply(&fragmented("t", Method::Hash, type_name, Vec::new()));
        let error = refused.expect_err(type_name);
        assert_eq!(error.sqlstate(), SqlState::FEATURE_NOT_SUPPORTED);
    }
}

#[test]
fn names_mean_one_thing() {
    let catalog = herd(1).with(&hash("users", 2));
    for taken in ["users", "users_0"] {
        let refused = catalog.apply(&hash(taken, 3));
        assert_eq!(refused.err(), Some(CatalogError::NameTaken(TableName::new("public", taken))));
    }
    let refused = catalog.apply(&Change::AddShadow(TableName::new("public", "users_1")));
    assert!(matches!(refused, Err(CatalogError::NameTaken(_))));
}

#[test]
fn renaming_moves_names_and_nothing_else() {
    let catalog = herd(2).with(&hash("users", 2));
    let table = id(&catalog, "users");
    let renamed = catalog
        .with(&Change::RenameTable { table, name: "people".to_owned() })
        .with(&Change::SetSchema { table, schema: "app".to_owned() });
    assert!(renamed.table_named(&TableName::new("public", "users")).is_none());
    assert_eq!(
        renamed.table_named(&TableName::new("app", "people")).map(|each| each.id),
        Some(table)
    );
    let fragment = FragmentId { table, index: 1 };
    let name = TableName::new("app", "people_1");
    let renamed = renamed.with(&Change::RenameFragment { fragment, name: name.clone() });
    assert_eq!(renamed.fragment(fragment).map(|each| &each.name), Some(&name));

    let change = Change::RenameSchema { from: "app".to_owned(), to: "web".to_owned() };
    let renamed = renamed.with(&change);
    assert!(renamed.table_named(&TableName::new("web", "people")).is_some());
    assert_eq!(renamed.fragment(fragment).map(|each| each.name.schema.as_str()), Some("web"));
    let first = FragmentId { table, index: 0 };
    assert_eq!(renamed.fragment(first).map(|each| each.name.schema.as_str()), Some("public"));
}

#[test]
fn a_home_relation_hides_a_table_only_where_its_schema_comes_first() {
    let catalog =
        herd(1).with(&hash("users", 1)).with(&Change::AddShadow(TableName::new("mine", "users")));
    let resolve = |schemas: &[&str]| {
        let path = SearchPath::new(schemas.iter().map(|&each| each.to_owned()));
        matches!(catalog.resolve(&path, None, "users"), Resolved::Logical(_))
    };
    assert!(resolve(&["public", "mine"]));
    assert!(!resolve(&["mine", "public"]));
    let table = id(&catalog, "users");
    assert_eq!(catalog.with(&Change::DropTable(table)).shadows().count(), 0);
}

#[test]
fn key_columns_follow_a_changed_column_list() {
    let catalog = herd(1).with(&hash("users", 4));
    let table = id(&catalog, "users");
    let columns = vec![column("name", "text"), column("uid", "bigint")];
    let set = |columns: Vec<Column>, key: &str| {
        catalog.apply(&Change::SetColumns { table, columns, key: vec![key.to_owned()] })
    };
    let changed = set(columns, "uid").expect("only names have changed");
    let users = changed.table(table).expect("it is still there");
    assert_eq!(users.fragmentation().map(|each| each.key()[0].column), Some(1));
    let refused = set(vec![column("id", "integer")], "id");
    assert_eq!(refused.err(), Some(CatalogError::KeyTypeChanged));
    let refused = set(vec![column("id", "bigint")], "uid");
    assert_eq!(refused.err(), Some(CatalogError::NoKeyColumn("uid".to_owned())));
}

#[test]
fn nodes_come_and_go() {
    let spec = NodeSpec {
        name: "n3".to_owned(),
        host: "db3".to_owned(),
        port: 5432,
        dc: "a".to_owned(),
        zone: "z".to_owned(),
        role: NodeRole::Primary,
        status: NodeStatus::Joining,
        capacity: 1,
    };
    let add = Change::AddNode(spec);
    let remove = |node| Change::SetNodeStatus { node, status: NodeStatus::Removed };
    let catalog = herd(2).with(&reference("country")).with(&hash("users", 2)).with(&add);
    let added = catalog.node_named("n3").expect("it was added").id;
    assert_eq!(added, NodeId(3));
    assert_eq!(catalog.apply(&add).err(), Some(CatalogError::NodeNameTaken("n3".to_owned())));
    let country = catalog.table_named(&TableName::new("public", "country")).expect("it was added");
    assert_eq!(catalog.nodes_of(country), [NodeId(1), NodeId(2)]);

    for used in [NodeId(1), NodeId(2)] {
        assert!(matches!(catalog.apply(&remove(used)), Err(CatalogError::NodeInUse { .. })));
    }
    let catalog = catalog.with(&remove(added)).with(&add);
    assert_eq!(catalog.node_named("n3").map(|node| node.id), Some(NodeId(4)));
    let back = Change::SetNodeStatus { node: added, status: NodeStatus::Active };
    assert_eq!(catalog.apply(&back).err(), Some(CatalogError::NoNode(added)));
}

#[test]
fn home_is_an_active_primary() {
    let mut nodes = [node(1, "a"), node(2, "a")];
    nodes[1].role = NodeRole::Standby;
    let catalog = Catalog::new(NodeId(1), nodes);
    let refused = catalog.apply(&Change::SetHome(NodeId(2)));
    assert_eq!(refused.err(), Some(CatalogError::NotHome("n2".to_owned())));
    assert_eq!(herd(2).with(&Change::SetHome(NodeId(2))).home(), NodeId(2));
}

#[test]
fn a_failed_change_among_several_leaves_nothing() {
    let catalog = herd(1);
    let changes = [hash("a", 2), hash("a", 2)];
    assert!(catalog.apply_all(&changes).is_err());
    let both = catalog.apply_all(&[hash("a", 2), hash("b", 2)]).expect("names differ");
    assert_eq!(both.version(), catalog.version() + 1);
}

#[test]
fn what_is_stored_comes_back_the_same() {
    let catalog = herd(3)
        .with(&hash("users", 4))
        .with(&with_family(hash("orders", 4), "shop"))
        .with(&list("rank", "text", &[("d", "daily", NodeWish::Node(NodeId(3)))]))
        .with(&reference("country"))
        .with(&Change::AddShadow(TableName::new("mine", "users")))
        .with(&Change::DropTable(TableId(1)));
    let record = CatalogRecord::from(&catalog);
    let json = serde_json::to_vec(&record).expect("a record is plain data");
    let read: CatalogRecord = serde_json::from_slice(&json).expect("it was written so");
    assert_eq!(read, record);
    let back = Catalog::try_from(read).expect("it is consistent");
    assert_eq!(CatalogRecord::from(&back), record);
    let key = [KeyType::Int8.from_text(b"42").ok()];
    let place = |catalog: &Catalog| {
        let orders = catalog.table_named(&TableName::new("public", "orders"))?;
        orders.fragmentation()?.fragment_for(&key).map(|fragment| fragment.id)
    };
    assert_eq!(place(&back), place(&catalog));
    assert!(place(&back).is_some());
}

#[test]
fn stored_contradictions_are_found() {
    let catalog = herd(2).with(&hash("users", 2));
    let json = serde_json::to_value(CatalogRecord::from(&catalog)).expect("plain data");
    let read = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut json = json.clone();
        change(&mut json);
        let record: CatalogRecord = serde_json::from_value(json).map_err(|_| ())?;
        Catalog::try_from(record).map_err(|_| ())
    };
    assert!(read(&|_| {}).is_ok());
    assert!(read(&|json| json["format"] = 2.into()).is_err());
    assert!(read(&|json| json["home"] = 9.into()).is_err());
    assert!(read(&|json| json["families"][0]["placement"][0] = 2.into()).is_err());
    assert!(read(&|json| json["families"] = serde_json::json!([])).is_err());
    let fragments = "/tables/0/kind/Fragmented/fragments/1/bound/Hash/remainder";
    assert!(read(&|json| *json.pointer_mut(fragments).expect("a hash bound") = 0.into()).is_err());
}

#[test]
fn a_key_without_a_fragment_has_no_place() {
    let catalog = herd(1).with(&list("rank", "text", &[("d", "daily", NodeWish::Any)]));
    let rank = catalog.table_named(&TableName::new("public", "rank")).expect("it was added");
    let fragmentation = rank.fragmentation().expect("it is fragmented");
    let text = |value: &[u8]| [Some(KeyValue::Text(value.into()))];
    assert!(fragmentation.fragment_for(&text(b"daily")).is_some());
    assert!(fragmentation.fragment_for(&text(b"weekly")).is_none());
    assert!(fragmentation.fragment_for(&[None]).is_none());
    assert_eq!(fragmentation.single_node(), Some(NodeId(1)));
    let empty = herd(1).with(&fragmented("t", Method::Hash, "bigint", Vec::new()));
    let table = empty.table_named(&TableName::new("public", "t")).expect("it was added");
    let key = [Some(KeyValue::Int(1))];
    assert!(table.fragmentation().is_some_and(|each| each.fragment_for(&key).is_none()));
}

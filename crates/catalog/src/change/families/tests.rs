//! Who is together with whom, and where.

use herd_types::NodeId;

use crate::change::fixtures::{
    With, family, fragments, hash, herd, id, layout, list, list_fragment, node, with_family,
};
use crate::change::{Change, FamilyWish, KindSpec, NodeWish};
use crate::{Catalog, CatalogError, NodeStatus};

#[test]
fn hash_fragments_are_dealt_out_evenly() {
    let catalog = herd(3).with(&hash("users", 6));
    assert_eq!(layout(&catalog, "users"), [1, 2, 3, 1, 2, 3]);
    assert_eq!(catalog.version(), 2);
}

#[test]
fn capacity_weighs_and_zero_takes_nothing() {
    let mut nodes = [node(1, "a"), node(2, "a"), node(3, "b")];
    nodes[1].capacity = 3;
    nodes[2].capacity = 0;
    let catalog = Catalog::new(NodeId(1), nodes).with(&hash("users", 8));
    let count = |id| layout(&catalog, "users").iter().filter(|&&node| node == id).count();
    assert_eq!((count(1), count(2), count(3)), (2, 6, 0));
}

#[test]
fn single_fragments_of_unlike_tables_spread() {
    let catalog = herd(2).with(&list("a", "text", &[("a_x", "x", NodeWish::Any)])).with(&list(
        "b",
        "bigint",
        &[("b_1", "1", NodeWish::Any)],
    ));
    assert_ne!(layout(&catalog, "a"), layout(&catalog, "b"));
}

#[test]
fn alike_tables_are_one_family() {
    let catalog = herd(3).with(&hash("users", 4)).with(&hash("orders", 4)).with(&hash("logs", 8));
    assert_eq!(family(&catalog, "users"), family(&catalog, "orders"));
    assert_ne!(family(&catalog, "users"), family(&catalog, "logs"));
    assert_eq!(layout(&catalog, "users"), layout(&catalog, "orders"));
    assert_eq!(catalog.tables_of(family(&catalog, "users")).count(), 2);
}

#[test]
fn spelling_and_order_of_bounds_do_not_make_a_family() {
    let any = NodeWish::Any;
    let catalog = herd(2)
        .with(&list("a", "numeric", &[("a1", "1.0", any.clone()), ("a2", "2", any.clone())]))
        .with(&list("b", "numeric", &[("b2", "2.00", any.clone()), ("b1", "1", any)]));
    assert_eq!(family(&catalog, "a"), family(&catalog, "b"));
    let names: Vec<&str> =
        fragments(&catalog, "b").iter().map(|each| each.name.name.as_str()).collect();
    assert_eq!(names, ["b1", "b2"]);
}

#[test]
fn wished_nodes_and_dcs_are_kept() {
    let catalog = Catalog::new(NodeId(1), [node(1, "a"), node(2, "b"), node(3, "b")]);
    let wishes = [
        ("d", "daily", NodeWish::Node(NodeId(3))),
        ("m", "monthly", NodeWish::Dc("a".to_owned())),
        ("w", "weekly", NodeWish::Dc("b".to_owned())),
    ];
    let catalog = catalog.with(&list("rank", "text", &wishes));
    assert_eq!(layout(&catalog, "rank"), [3, 1, 2]);

    let elsewhere = [("d2", "daily", NodeWish::Node(NodeId(1)))];
    let nowhere = [("d3", "daily", NodeWish::Dc("c".to_owned()))];
    let catalog = catalog.with(&list("rank2", "text", &elsewhere));
    assert_ne!(family(&catalog, "rank"), family(&catalog, "rank2"));
    let refused = catalog.apply(&list("rank3", "text", &nowhere));
    assert!(matches!(refused, Err(CatalogError::NoCandidate(_))));
}

#[test]
fn draining_and_down_nodes_get_nothing_new() {
    let status = |node, status| Change::SetNodeStatus { node: NodeId(node), status };
    let catalog = herd(3)
        .with(&status(2, NodeStatus::Draining))
        .with(&status(3, NodeStatus::Down))
        .with(&hash("users", 3));
    assert_eq!(layout(&catalog, "users"), [1, 1, 1]);
}

#[test]
fn named_families_are_apart_and_must_agree() {
    let named = |table: &str, modulus| with_family(hash(table, modulus), "shop");
    let catalog =
        herd(3).with(&hash("users", 4)).with(&named("orders", 4)).with(&named("items", 4));
    assert_ne!(family(&catalog, "users"), family(&catalog, "orders"));
    assert_eq!(family(&catalog, "items"), family(&catalog, "orders"));
    let refused = catalog.apply(&named("parts", 8));
    assert_eq!(refused.err(), Some(CatalogError::FamilyMismatch("shop".to_owned())));
}

#[test]
fn like_a_table_means_its_family() {
    let catalog = herd(3).with(&hash("users", 4)).with(&with_family(hash("orders", 4), "shop"));
    let like = |name: &str, modulus, other: &str| {
        let Change::AddTable(mut spec) = hash(name, modulus) else { unreachable!() };
        let KindSpec::Fragmented { family, .. } = &mut spec.kind else { unreachable!() };
        *family = FamilyWish::Like(id(&catalog, other));
        Change::AddTable(spec)
    };
    let joined = catalog.with(&like("items", 4, "orders"));
    assert_eq!(family(&joined, "items"), family(&joined, "orders"));
    let refused = catalog.apply(&like("items", 5, "users"));
    assert_eq!(refused.err(), Some(CatalogError::FamilyMismatch("users".to_owned())));
}

#[test]
fn fragments_that_come_later_lie_beside_their_twins() {
    let any = NodeWish::Any;
    let filled = [
        ("a_day", "daily", NodeWish::Node(NodeId(3))),
        ("a_month", "monthly", NodeWish::Node(NodeId(2))),
    ];
    let mut catalog = herd(3).with(&list("a", "text", &filled)).with(&list("b", "text", &[]));
    assert_ne!(family(&catalog, "a"), family(&catalog, "b"));
    for (name, value) in [("b_month", "monthly"), ("b_day", "daily")] {
        let fragment = list_fragment(name, value, any.clone());
        catalog = catalog.with(&Change::AddFragment { table: id(&catalog, "b"), fragment });
    }
    assert_eq!(layout(&catalog, "b"), [3, 2]);
    assert_eq!(family(&catalog, "a"), family(&catalog, "b"));
}

#[test]
fn a_changed_table_leaves_its_family_behind() {
    let catalog = herd(2).with(&list("a", "text", &[("a_x", "x", NodeWish::Any)]));
    let catalog = catalog.with(&list("b", "text", &[("b_x", "x", NodeWish::Any)]));
    let shared = family(&catalog, "a");
    let fragment = list_fragment("b_y", "y", NodeWish::Any);
    let catalog = catalog.with(&Change::AddFragment { table: id(&catalog, "b"), fragment });
    assert_eq!(family(&catalog, "a"), shared);
    assert_ne!(family(&catalog, "b"), shared);
    let dropped = fragments(&catalog, "b")[1].id;
    let catalog = catalog.with(&Change::DropFragment(dropped));
    assert_eq!(family(&catalog, "b"), shared);
    assert_eq!(catalog.families().count(), 1);
}

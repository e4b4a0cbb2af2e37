//! A herd of three nodes, and a home node that answers from a short list of facts.

use std::sync::Arc;

use herd_catalog::{Catalog, Node, NodeRole, NodeStatus};
use herd_types::NodeId;

pub fn catalog_of(nodes: u16) -> Arc<Catalog> {
    Arc::new(Catalog::new(NodeId(1), (1..=nodes).map(node)))
}

fn node(id: u16) -> Node {
    Node {
        id: NodeId(id),
        name: format!("n{id}"),
        host: "127.0.0.1".to_owned(),
        port: 5432,
        dc: if id == 1 { "east" } else { "west" }.to_owned(),
        zone: String::new(),
        role: NodeRole::Primary,
        status: NodeStatus::Active,
        capacity: 100,
    }
}

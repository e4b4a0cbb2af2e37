//! A set of nodes, which is mostly one.

use herd_types::NodeId;
use smallvec::SmallVec;

/// The nodes that hold certain rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Nodes {
    /// There are no such rows.
    None,
    One(NodeId),
    Several(SmallVec<[NodeId; 8]>),
}

impl Nodes {
    pub(super) fn of(nodes: impl Iterator<Item = NodeId>) -> Nodes {
        let mut all = Nodes::None;
        nodes.for_each(|node| all.add(node));
        all
    }

    pub(super) fn add(&mut self, node: NodeId) {
        match self {
            Nodes::None => *self = Nodes::One(node),
            Nodes::One(other) if *other == node => {}
            Nodes::One(other) => *self = Nodes::Several(smallvec::smallvec![*other, node]),
            Nodes::Several(nodes) => {
                if !nodes.contains(&node) {
                    nodes.push(node);
                }
            }
        }
    }

    pub(crate) fn as_slice(&self) -> &[NodeId] {
        match self {
            Nodes::None => &[],
            Nodes::One(node) => std::slice::from_ref(node),
            Nodes::Several(nodes) => nodes,
        }
    }

    pub(super) fn intersection(&self, other: &Nodes) -> Nodes {
        let nodes = self.as_slice().iter().filter(|node| other.as_slice().contains(node));
        Nodes::of(nodes.copied())
    }
}

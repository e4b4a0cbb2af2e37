//! On which node a new fragment lies: the one that carries least for its capacity.

use std::cmp::Ordering;

use herd_types::NodeId;

use crate::Node;

/// The nodes that can take fragments of one family, with what they carry.
pub(crate) struct Placement<'a> {
    candidates: Vec<Candidate<'a>>,
}

struct Candidate<'a> {
    node: &'a Node,
    /// Fragments of this family.
    own: u64,
    /// Fragments of all tables.
    all: u64,
}

impl<'a> Placement<'a> {
    /// `load` tells how many fragments of any table a node carries.
    pub(crate) fn new(
        nodes: impl Iterator<Item = &'a Node>,
        load: impl Fn(NodeId) -> u64,
    ) -> Placement<'a> {
        let candidates = nodes
            .filter(|node| node.takes_fragments())
            .map(|node| Candidate { node, own: 0, all: load(node.id) })
            .collect();
        Placement { candidates }
    }

    /// Counts a fragment of this family that lies on `node`.
    pub(crate) fn count(&mut self, node: NodeId) {
        if let Some(found) = self.candidates.iter_mut().find(|each| each.node.id == node) {
            found.own += 1;
            found.all += 1;
        }
    }

    /// The node with the least load for its capacity among those that are `suitable`; a node
    /// with capacity 0 gets only what names it. Ties go to the lowest id.
    pub(crate) fn choose(&self, suitable: impl Fn(&Node) -> bool) -> Option<NodeId> {
        self.candidates
            .iter()
            .filter(|each| each.node.capacity > 0 && suitable(each.node))
            .min_by(|a, b| a.compare(b))
            .map(|each| each.node.id)
    }

    pub(crate) fn has(&self, node: NodeId) -> bool {
        self.candidates.iter().any(|each| each.node.id == node)
    }
}

impl Candidate<'_> {
    /// By what the family would be like with one more fragment here, then by the herd as a whole.
    fn compare(&self, other: &Candidate<'_>) -> Ordering {
        let (mine, others) = (u128::from(self.node.capacity), u128::from(other.node.capacity));
        let ratio = |a: u64, b: u64| (u128::from(a + 1) * others).cmp(&(u128::from(b + 1) * mine));
        ratio(self.own, other.own)
            .then_with(|| ratio(self.all, other.all))
            .then(self.node.id.cmp(&other.node.id))
    }
}

//! The server connections that a session holds: one for its transaction, others pinned to it.

use std::sync::Arc;

use herd_node::Lease;
use herd_plan::PinReason;
use herd_types::NodeId;
use smallvec::SmallVec;

use crate::registry::{ClientHandle, Spanning};

/// A leased connection, and why it stays with the client between transactions.
#[derive(Debug)]
pub struct Link {
    pub lease: Lease,
    pins: SmallVec<[PinReason; 2]>,
}

impl Link {
    #[must_use]
    pub fn new(lease: Lease) -> Link {
        Link { lease, pins: SmallVec::new() }
    }

    #[must_use]
    pub fn node(&self) -> NodeId {
        self.lease.node()
    }

    pub fn pin(&mut self, reason: PinReason) {
        if !self.pins.contains(&reason) {
            self.pins.push(reason);
        }
    }

    #[must_use]
    pub fn is_pinned(&self) -> bool {
        !self.pins.is_empty()
    }

    pub fn pins(&self) -> impl Iterator<Item = &PinReason> {
        self.pins.iter()
    }
}

/// At most one link for each node.
#[derive(Debug, Default)]
pub struct Links {
    /// The one that runs the statement or holds the transaction.
    pub current: Option<Link>,
    /// The other nodes of the transaction that it holds.
    pub joined: SmallVec<[Link; 2]>,
    /// While there are any.
    spanning: Option<Spanning>,
    /// Pinned, and idle.
    pub kept: SmallVec<[Link; 1]>,
}

impl Links {
    /// All that hold a part of the transaction.
    pub fn all_mut(&mut self) -> impl Iterator<Item = &mut Link> {
        self.current.iter_mut().chain(&mut self.joined)
    }

    /// The current one goes on as one of several.
    pub fn join(&mut self, link: Link, client: &Arc<ClientHandle>) {
        self.spanning.get_or_insert_with(|| Spanning::begin(client));
        self.joined.push(link);
    }

    /// The transaction is on one node at most from now on.
    pub fn part(&mut self) -> SmallVec<[Link; 2]> {
        self.spanning = None;
        std::mem::take(&mut self.joined)
    }

    pub fn take_joined(&mut self, node: NodeId) -> Option<Link> {
        let at = self.joined.iter().position(|link| link.node() == node)?;
        Some(self.joined.swap_remove(at))
    }

    pub fn take_kept(&mut self, node: NodeId) -> Option<Link> {
        let at = self.kept.iter().position(|link| link.node() == node)?;
        Some(self.kept.swap_remove(at))
    }

    /// Whether there may be temporary tables.
    #[must_use]
    pub fn may_have_relations(&self) -> bool {
        let mut pins =
            self.kept.iter().chain(&self.current).chain(&self.joined).flat_map(Link::pins);
        pins.any(PinReason::may_be_a_relation)
    }

    /// Why connections are pinned, for SHOW CLIENTS.
    #[must_use]
    pub fn describe_pins(&self) -> String {
        let links = self.kept.iter().chain(&self.current).chain(&self.joined);
        let mut reasons: Vec<&str> = links.flat_map(Link::pins).map(PinReason::as_str).collect();
        reasons.dedup();
        reasons.join(", ")
    }
}

//! A statement that goes to nodes as text: to one that can answer it, or what several do instead.

use std::sync::Arc;

use herd_types::NodeId;

use crate::{Dispatch, Exchange, Inline, Needs};

#[derive(Clone, Debug)]
pub struct Forward {
    pub target: Target,
    /// Names of relations in schema `herd`, to be replaced by their rows.
    pub inline: Vec<Inline>,
    /// What is to be brought to the home node if no node has all of it.
    pub exchange: Option<Arc<Exchange>>,
    /// What each node does of it if it is a write that concerns several.
    pub dispatch: Option<Arc<Dispatch>>,
}

impl Forward {
    pub(crate) fn to(target: Target) -> Forward {
        Forward { target, inline: Vec::new(), exchange: None, dispatch: None }
    }

    /// No more than one node may carry it out.
    pub(crate) fn keep_to_one_node(&mut self) {
        self.exchange = None;
        self.dispatch = None;
    }
}

/// COPY … TO STDOUT of a fragmented table on one node: another text goes to the node, its answer to the client.
#[derive(Clone, Debug)]
pub struct CopyOut {
    pub target: Target,
    pub text: Vec<u8>,
}

/// Which node can answer.
#[derive(Clone, Debug)]
pub enum Target {
    /// The home node, and only that.
    Home,
    /// Any node gives the same answer and nothing ties the transaction to it.
    Neutral,
    /// Reads reference tables only: any node, preferably the one already at hand.
    Everywhere,
    /// This node has all fragments of the tables named.
    Node(NodeId),
    /// The node that has all of this, which values tell.
    Needs(Needs),
    /// Where the transaction already is, home if it is nowhere yet; and there it stays. For
    /// DECLARE and FETCH, and for whatever the node is to refuse in its own words.
    Current,
}

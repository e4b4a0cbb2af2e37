//! The numbers (OIDs) by which a node knows types and relations that users made. Every node counts
//! for itself; clients know the numbers of the home node.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use ahash::RandomState;
use arc_swap::ArcSwap;
use herd_types::NodeId;
use parking_lot::Mutex;

use crate::limits::{LEARN_AGAIN_AFTER, LEARN_TIMEOUT};

/// Numbers below are PostgreSQL's own, and the same on every server.
pub const FIRST_OF_USERS: u32 = 16_384;

/// PostgreSQL's `unknown`: text of which no more is known.
const UNKNOWN_TYPE: u32 = 705;
/// What a column that is no table's has as its table.
const NO_RELATION: u32 = 0;
/// No type has it: a server says so when it is given.
const NO_TYPE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Numbered {
    Type,
    Relation,
}

/// A counterpart that is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// What home calls something that this node calls so.
    AtHome(Numbered, u32),
    /// What this node calls a type that home calls so.
    TypeHere(u32),
}

/// Something that a user made: what it is called, and its number at one node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    pub schema: String,
    pub name: String,
}

/// Everything that has a number in a database of one node.
#[derive(Debug, Default)]
pub struct Inventory {
    pub types: HashMap<Named, u32>,
    pub relations: HashMap<Named, u32>,
}

/// Where the control plane looks up what nodes have.
pub trait Inventories: fmt::Debug + Send + Sync {
    fn is_home(&self, node: NodeId) -> bool;
    /// What the home node has, and what `node` has; `None` when one of them does not answer.
    fn of_home_and<'a>(
        &'a self,
        node: NodeId,
        database: &'a str,
    ) -> Pin<Box<dyn Future<Output = Option<[Inventory; 2]>> + Send + 'a>>;
}

/// The numbers of one node and database beside those of the home node.
#[derive(Debug, Default)]
pub struct Numbers {
    types_at_home: HashMap<u32, u32, RandomState>,
    types_here: HashMap<u32, u32, RandomState>,
    relations_at_home: HashMap<u32, u32, RandomState>,
}

impl Numbers {
    #[must_use]
    pub fn pair(home: &Inventory, here: &Inventory) -> Numbers {
        let pairs = |home: &HashMap<Named, u32>, here: &HashMap<Named, u32>| {
            let at_home = |named: &Named| home.get(named).copied();
            here.iter().map(|(named, &number)| (number, at_home(named))).collect::<Vec<_>>()
        };
        let types = pairs(&home.types, &here.types);
        let known = types.iter().filter_map(|&(here, home)| Some((home?, here)));
        let relations = pairs(&home.relations, &here.relations).into_iter();
        Numbers {
            types_here: known.collect(),
            types_at_home: types
                .iter()
                .map(|&(here, home)| (here, home.unwrap_or(UNKNOWN_TYPE)))
                .collect(),
            relations_at_home: relations
                .map(|(here, home)| (here, home.unwrap_or(NO_RELATION)))
                .collect(),
        }
    }

    /// What home calls it; `None` if it is not known yet.
    #[must_use]
    pub fn at_home(&self, kind: Numbered, number: u32) -> Option<u32> {
        if number < FIRST_OF_USERS {
            return Some(number);
        }
        match kind {
            Numbered::Type => self.types_at_home.get(&number).copied(),
            Numbered::Relation => self.relations_at_home.get(&number).copied(),
        }
    }

    /// The same, with something harmless for what home does not have.
    #[must_use]
    pub fn at_home_or_unknown(&self, kind: Numbered, number: u32) -> u32 {
        self.at_home(kind, number).unwrap_or(match kind {
            Numbered::Type => UNKNOWN_TYPE,
            Numbered::Relation => NO_RELATION,
        })
    }

    #[must_use]
    pub fn knows(&self, wanted: Wanted) -> bool {
        match wanted {
            Wanted::AtHome(kind, number) => self.at_home(kind, number).is_some(),
            Wanted::TypeHere(number) => {
                number < FIRST_OF_USERS || self.types_here.contains_key(&number)
            }
        }
    }

    /// What this node calls a type of home's; a number of no type at all if it has none.
    #[must_use]
    pub fn type_here(&self, number: u32) -> u32 {
        if number < FIRST_OF_USERS {
            return number;
        }
        self.types_here.get(&number).copied().unwrap_or(NO_TYPE)
    }
}

/// What is known of the numbers of one node and database, and how more is learnt.
#[derive(Debug)]
pub struct Numbering {
    node: NodeId,
    database: String,
    inventories: Arc<dyn Inventories>,
    numbers: ArcSwap<Numbers>,
    /// What was looked for and not found, and when. Whoever asks holds it, so that others wait and
    /// do not ask too.
    in_vain: tokio::sync::Mutex<HashMap<Wanted, Instant>>,
}

impl Numbering {
    #[must_use]
    pub fn numbers(&self) -> arc_swap::Guard<Arc<Numbers>> {
        self.numbers.load()
    }

    /// Asks the nodes, unless it is known by now, or somebody has just asked in vain.
    pub async fn learn(&self, wanted: Wanted) {
        let mut in_vain = self.in_vain.lock().await;
        in_vain.retain(|_, asked_at| asked_at.elapsed() < LEARN_AGAIN_AFTER);
        if self.numbers().knows(wanted) || in_vain.contains_key(&wanted) {
            return;
        }
        let inventories = self.inventories.of_home_and(self.node, &self.database);
        if let Ok(Some([home, here])) = tokio::time::timeout(LEARN_TIMEOUT, inventories).await {
            self.numbers.store(Arc::new(Numbers::pair(&home, &here)));
        } else {
            tracing::warn!(node = %self.node, database = self.database,
                "cannot compare the node's type numbers with those of the home node");
        }
        if !self.numbers().knows(wanted) {
            in_vain.insert(wanted, Instant::now());
        }
    }
}

/// The numberings of all nodes but home, shared by all workers.
#[derive(Debug)]
pub struct Numberings {
    inventories: Arc<dyn Inventories>,
    known: Mutex<HashMap<(NodeId, String), Arc<Numbering>>>,
}

impl Numberings {
    #[must_use]
    pub fn new(inventories: Arc<dyn Inventories>) -> Numberings {
        Numberings { inventories, known: Mutex::default() }
    }

    /// `None` for the home node, whose numbers are the ones that clients know.
    #[must_use]
    pub fn of(&self, node: NodeId, database: &str) -> Option<Arc<Numbering>> {
        if self.inventories.is_home(node) {
            return None;
        }
        let mut known = self.known.lock();
        let numbering = known.entry((node, database.to_owned())).or_insert_with(|| {
            Arc::new(Numbering {
                node,
                database: database.to_owned(),
                inventories: Arc::clone(&self.inventories),
                numbers: ArcSwap::default(),
                in_vain: tokio::sync::Mutex::default(),
            })
        });
        Some(Arc::clone(numbering))
    }
}

#[cfg(test)]
mod tests;

//! Deadlocks that no node can see: clients that wait for each other on different nodes.
//!
//! Who waits for whom is told by the nodes; what follows from it is decided here, without asking
//! anybody. A deadlock of one node's connections alone is left to PostgreSQL.

mod watch;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write;

use herd_catalog::Catalog;
use herd_types::{ClientError, ClientId, NodeId, SqlState};

pub use watch::watch_deadlocks;

/// A connection to a node, by the number that the node gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Backend {
    pub node: NodeId,
    pub process_id: i32,
}

/// On a node, one connection waits for another. All waits that are looked at together must have
/// lasted since before the first node was asked: then they have held at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockWait {
    pub node: NodeId,
    pub waiter: i32,
    pub blocker: i32,
}

impl LockWait {
    fn waiter(&self) -> Backend {
        Backend { node: self.node, process_id: self.waiter }
    }

    fn blocker(&self) -> Backend {
        Backend { node: self.node, process_id: self.blocker }
    }
}

/// A client whose transaction is on several nodes, and may be made to fail where it runs.
#[derive(Clone, Debug)]
struct Candidate {
    client: ClientId,
    running: Vec<Backend>,
}

/// Whoever waits: with all its connections a client of this process, or somebody else's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Party {
    Client(ClientId),
    Stranger(Backend),
}

/// Clients that wait for each other, and the one who is to give up.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Deadlock {
    victim: ClientId,
    waits_on: Backend,
    /// Each for the next, and the last for the first, who is the victim.
    cycle: Vec<(Party, LockWait)>,
}

impl Deadlock {
    fn error(&self, catalog: &Catalog) -> ClientError {
        ClientError::error(SqlState::DEADLOCK_DETECTED, "deadlock detected")
            .with_detail(self.describe(catalog))
            .with_hint("Run the transaction again.")
    }

    fn describe(&self, catalog: &Catalog) -> String {
        let mut text = String::new();
        let blockers = self.cycle.iter().cycle().skip(1);
        for ((waiter, wait), (blocker, _)) in self.cycle.iter().zip(blockers) {
            let node = catalog.node(wait.node).map_or("?", |node| node.name.as_str());
            let separator = if text.is_empty() { "" } else { "\n" };
            let (waiter, blocker) = (waiter.describe(), blocker.describe());
            let _ = write!(
                text,
                "{separator}{waiter} waits on node \"{node}\"; blocked by {}.",
                blocker.to_lowercase()
            );
        }
        text
    }
}

impl Party {
    fn describe(self) -> String {
        match self {
            Party::Client(client) => format!("Client {}", client.0),
            Party::Stranger(backend) => format!("Process {}", backend.process_id),
        }
    }
}

/// Finds who is to give up so that nobody waits in a circle any more. Of each circle it is the
/// first of the `candidates`.
fn find(
    waits: &[LockWait],
    holders: &HashMap<Backend, ClientId>,
    candidates: &[Candidate],
) -> Vec<Deadlock> {
    let mut waiting = Waiting::new(waits, holders);
    let mut found = Vec::new();
    for candidate in candidates {
        let victim = Party::Client(candidate.client);
        let Some(cycle) = waiting.cycle_through(victim) else { continue };
        let waits_on = cycle[0].1.waiter();
        if is_seen_by_postgres(&cycle) || !candidate.running.contains(&waits_on) {
            continue;
        }
        waiting.gives_up(victim);
        found.push(Deadlock { victim: candidate.client, waits_on, cycle });
    }
    found
}

/// Every connection that blocks is the one that waits next.
fn is_seen_by_postgres(cycle: &[(Party, LockWait)]) -> bool {
    let next = cycle.iter().cycle().skip(1);
    cycle.iter().zip(next).all(|((_, wait), (_, next))| wait.blocker() == next.waiter())
}

/// Who waits for whom.
struct Waiting<'a> {
    holders: &'a HashMap<Backend, ClientId>,
    waits: BTreeMap<Party, Vec<LockWait>>,
}

impl<'a> Waiting<'a> {
    fn new(waits: &[LockWait], holders: &'a HashMap<Backend, ClientId>) -> Waiting<'a> {
        let mut waiting = Waiting { holders, waits: BTreeMap::new() };
        for wait in waits {
            let waiter = waiting.party(wait.waiter());
            // One of a client's connections may well wait for another that goes on by itself.
            if waiter != waiting.party(wait.blocker()) {
                waiting.waits.entry(waiter).or_default().push(*wait);
            }
        }
        waiting
    }

    fn party(&self, backend: Backend) -> Party {
        self.holders.get(&backend).map_or(Party::Stranger(backend), |&id| Party::Client(id))
    }

    fn gives_up(&mut self, party: Party) {
        self.waits.remove(&party);
    }

    /// A shortest way from `start` back to it.
    fn cycle_through(&self, start: Party) -> Option<Vec<(Party, LockWait)>> {
        let mut reached_by: BTreeMap<Party, (Party, LockWait)> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(waiter) = queue.pop_front() {
            for wait in self.waits.get(&waiter).into_iter().flatten() {
                let blocker = self.party(wait.blocker());
                if reached_by.contains_key(&blocker) {
                    continue;
                }
                reached_by.insert(blocker, (waiter, *wait));
                if blocker == start {
                    return Some(way_back(&reached_by, start));
                }
                queue.push_back(blocker);
            }
        }
        None
    }
}

fn way_back(
    reached_by: &BTreeMap<Party, (Party, LockWait)>,
    start: Party,
) -> Vec<(Party, LockWait)> {
    let mut way = Vec::new();
    let mut party = start;
    while let Some(&(waiter, wait)) = reached_by.get(&party) {
        way.push((waiter, wait));
        party = waiter;
        if party == start {
            break;
        }
    }
    way.reverse();
    way
}

//! Who waits for whom in a few lines, and who has to give up.

use std::collections::HashMap;

use herd_types::{ClientId, NodeId};

use super::*;

/// The process of a client on a node, in these tests.
fn process(client: u64, node: u16) -> i32 {
    i32::try_from(client * 100 + u64::from(node)).expect("a small number")
}

/// On `node`, `waiter` waits for `blocker`.
fn wait(node: u16, waiter: u64, blocker: u64) -> LockWait {
    let (waiter, blocker) = (process(waiter, node), process(blocker, node));
    LockWait { node: NodeId(node), waiter, blocker }
}

/// Clients 1 to 9, each with a connection to the nodes 1 to 3.
fn holders() -> HashMap<Backend, ClientId> {
    let backends = (1..=9).flat_map(|client| (1..=3).map(move |node| (client, node)));
    let held = |(client, node)| {
        let backend = Backend { node: NodeId(node), process_id: process(client, node) };
        (backend, ClientId(client))
    };
    backends.map(held).collect()
}

/// The youngest first; each can be reached wherever it has a connection.
fn candidates(clients: &[u64]) -> Vec<Candidate> {
    let running = |client| {
        (1..=3).map(move |node| Backend { node: NodeId(node), process_id: process(client, node) })
    };
    let candidate =
        |&client: &u64| Candidate { client: ClientId(client), running: running(client).collect() };
    clients.iter().map(candidate).collect()
}

fn victims(waits: &[LockWait], youngest_first: &[u64]) -> Vec<u64> {
    let found = find(waits, &holders(), &candidates(youngest_first));
    found.into_iter().map(|deadlock| deadlock.victim.0).collect()
}

#[test]
fn of_two_that_wait_crosswise_the_younger_gives_up() {
    let waits = [wait(1, 1, 2), wait(2, 2, 1)];
    assert_eq!(victims(&waits, &[2, 1]), [2]);
    assert_eq!(victims(&waits, &[1, 2]), [1]);
}

#[test]
fn of_three_nodes_and_clients_the_youngest_gives_up() {
    let waits = [wait(1, 1, 2), wait(2, 2, 3), wait(3, 3, 1)];
    assert_eq!(victims(&waits, &[3, 1, 2]), [3]);
}

#[test]
fn who_waits_without_a_circle_is_left_alone() {
    let waits = [wait(1, 1, 2), wait(2, 2, 3), wait(3, 4, 1), wait(1, 4, 2)];
    assert_eq!(victims(&waits, &[4, 3, 2, 1]), [0; 0]);
}

#[test]
fn who_waits_for_a_circle_without_being_in_it_is_not_its_victim() {
    let waits = [wait(1, 9, 1), wait(1, 1, 2), wait(2, 2, 1)];
    assert_eq!(victims(&waits, &[9, 2, 1]), [2]);
}

#[test]
fn a_deadlock_of_one_node_is_left_to_postgres() {
    let waits = [wait(1, 1, 2), wait(1, 2, 1)];
    assert_eq!(victims(&waits, &[2, 1]), [0; 0]);
}

#[test]
fn a_client_on_one_node_can_be_in_between_and_does_not_give_up() {
    let waits = [wait(1, 1, 5), wait(1, 5, 2), wait(2, 2, 1)];
    assert_eq!(victims(&waits, &[1, 2]), [1]);
}

#[test]
fn a_connection_of_somebody_else_can_be_in_between() {
    let stranger = 4242;
    let waits = [
        LockWait { blocker: stranger, ..wait(1, 1, 2) },
        LockWait { waiter: stranger, ..wait(1, 1, 2) },
        wait(2, 2, 1),
    ];
    let found = find(&waits, &holders(), &candidates(&[2, 1]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].victim, ClientId(2));
    assert_eq!(
        found[0].describe(&Catalog::new(NodeId(1), [])),
        "Client 2 waits on node \"?\"; blocked by client 1.\n\
         Client 1 waits on node \"?\"; blocked by process 4242.\n\
         Process 4242 waits on node \"?\"; blocked by client 2."
    );
}

#[test]
fn two_circles_cost_two_transactions_and_one_in_common_only_one() {
    let apart = [wait(1, 1, 2), wait(2, 2, 1), wait(1, 3, 4), wait(2, 4, 3)];
    assert_eq!(victims(&apart, &[4, 3, 2, 1]), [4, 2]);
    let in_common = [wait(1, 1, 2), wait(2, 2, 1), wait(1, 3, 2), wait(2, 2, 3)];
    assert_eq!(victims(&in_common, &[2, 3, 1]), [2]);
}

#[test]
fn who_cannot_be_reached_where_it_waits_leaves_it_to_the_next() {
    let waits = [wait(1, 1, 2), wait(2, 2, 1)];
    let mut candidates = candidates(&[2, 1]);
    candidates[0].running.retain(|backend| backend.node != NodeId(2));
    let found = find(&waits, &holders(), &candidates);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].victim, ClientId(1));
    let process_id = process(1, 1);
    assert_eq!(found[0].waits_on, Backend { node: NodeId(1), process_id });
}

#[test]
fn a_client_that_waits_for_a_connection_of_its_own_is_left_alone() {
    let mut holders = holders();
    holders.insert(Backend { node: NodeId(1), process_id: 4242 }, ClientId(1));
    let waits = [LockWait { blocker: 4242, ..wait(1, 1, 2) }];
    assert_eq!(find(&waits, &holders, &candidates(&[1])), []);
}

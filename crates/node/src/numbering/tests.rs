//! Two nodes that count differently.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const HOME: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);
const UNKNOWN: Wanted = Wanted::AtHome(Numbered::Type, 31_000);

fn inventory(types: &[(&str, u32)], relations: &[(&str, u32)]) -> Inventory {
    let named = |&(name, number): &(&str, u32)| {
        (Named { schema: "public".to_owned(), name: name.to_owned() }, number)
    };
    Inventory {
        types: types.iter().map(named).collect(),
        relations: relations.iter().map(named).collect(),
    }
}

#[derive(Debug, Default)]
struct Asked {
    times: AtomicUsize,
    is_silent: bool,
}

impl Inventories for Asked {
    fn is_home(&self, node: NodeId) -> bool {
        node == HOME
    }

    fn of_home_and<'a>(
        &'a self,
        _node: NodeId,
        _database: &'a str,
    ) -> Pin<Box<dyn Future<Output = Option<[Inventory; 2]>> + Send + 'a>> {
        self.times.fetch_add(1, Ordering::Relaxed);
        let home = inventory(&[("mood", 20_001), ("only_home", 20_002)], &[("t", 20_010)]);
        let here = inventory(&[("mood", 30_001), ("only_here", 30_002)], &[("t", 30_010)]);
        Box::pin(async move { (!self.is_silent).then_some([home, here]) })
    }
}

fn numbering(asked: &Arc<Asked>) -> Arc<Numbering> {
    let inventories = Arc::clone(asked) as Arc<dyn Inventories>;
    Numberings::new(inventories).of(OTHER, "d").expect("a node that is not home")
}

#[tokio::test]
async fn what_both_nodes_have_is_known_by_name() {
    let numbering = numbering(&Arc::default());
    assert_eq!(numbering.numbers().at_home(Numbered::Type, 30_001), None);
    numbering.learn(Wanted::AtHome(Numbered::Type, 30_001)).await;
    let numbers = numbering.numbers();
    assert_eq!(numbers.at_home(Numbered::Type, 30_001), Some(20_001));
    assert_eq!(numbers.at_home(Numbered::Relation, 30_010), Some(20_010));
    assert_eq!(numbers.type_here(20_001), 30_001);
    assert!(numbers.knows(Wanted::TypeHere(20_001)));
}

#[tokio::test]
async fn postgresqls_own_numbers_are_the_same_everywhere() {
    let numbering = numbering(&Arc::default());
    let numbers = numbering.numbers();
    assert_eq!(numbers.at_home(Numbered::Type, 23), Some(23));
    assert_eq!(numbers.type_here(23), 23);
    assert!(numbers.knows(Wanted::TypeHere(23)));
}

#[tokio::test]
async fn what_only_one_node_has_is_never_taken_for_something_else() {
    let numbering = numbering(&Arc::default());
    numbering.learn(Wanted::TypeHere(20_001)).await;
    let numbers = numbering.numbers();
    assert_eq!(numbers.at_home(Numbered::Type, 30_002), Some(UNKNOWN_TYPE));
    assert_eq!(numbers.at_home(Numbered::Type, 20_001), None);
    assert_eq!(numbers.at_home_or_unknown(Numbered::Type, 20_001), UNKNOWN_TYPE);
    assert_eq!(numbers.at_home_or_unknown(Numbered::Relation, 20_010), NO_RELATION);
    assert_eq!(numbers.type_here(20_002), NO_TYPE);
    assert!(!numbers.knows(Wanted::TypeHere(20_002)));
}

#[tokio::test]
async fn a_number_that_stays_unknown_is_not_asked_for_by_everybody() {
    let asked = Arc::new(Asked::default());
    let numbering = numbering(&asked);
    let learning = (0..10).map(|_| {
        let numbering = Arc::clone(&numbering);
        tokio::spawn(async move { numbering.learn(UNKNOWN).await })
    });
    for learnt in learning.collect::<Vec<_>>() {
        learnt.await.expect("no panic");
    }
    assert_eq!(asked.times.load(Ordering::Relaxed), 1);
    numbering.learn(Wanted::TypeHere(20_003)).await;
    assert_eq!(asked.times.load(Ordering::Relaxed), 2, "another number is asked for");
    numbering.learn(Wanted::TypeHere(20_001)).await;
    assert_eq!(asked.times.load(Ordering::Relaxed), 2, "this one is known");
}

#[tokio::test]
async fn a_node_that_does_not_answer_changes_nothing() {
    let asked = Arc::new(Asked { is_silent: true, ..Asked::default() });
    let numbering = numbering(&asked);
    numbering.learn(UNKNOWN).await;
    assert_eq!(numbering.numbers().at_home(Numbered::Type, 30_001), None);
}

#[test]
fn the_home_node_has_the_numbers_that_clients_know() {
    let numberings = Numberings::new(Arc::<Asked>::default());
    assert!(numberings.of(HOME, "d").is_none());
    let one = numberings.of(OTHER, "d").expect("a node that is not home");
    let same = numberings.of(OTHER, "d").expect("a node that is not home");
    assert!(Arc::ptr_eq(&one, &same));
}

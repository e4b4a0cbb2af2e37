//! Herd dies, or loses a node, at every single step of a definition; then what is left is repaired
//! as the journal says.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use herd_execute::define::{Definer, Intent, NodeSession, Nodes, Settled};
use herd_types::JobId;

use crate::doomed::{Blow, DoomedJournal, DoomedNodes, Fate};
use crate::herd::{Herd, MemoryJournal, MemoryPublisher, PLAIN_NODE, PgNodes};

/// How many steps there may be before the test is wrong about there being an end.
const STEPS_MAX: usize = 200;

/// Runs the statement with the blow at `step`. `None`: the process died; else whether it was done.
async fn run_doomed(herd: &Herd, sql: &str, blow: Blow, step: usize) -> (Option<bool>, bool) {
    let fate = Fate::new(blow, step);
    let journal = MemoryJournal(Arc::clone(&herd.memory));
    let journal = DoomedJournal { journal, fate: Arc::clone(&fate) };
    let definer = Definer::new(journal, MemoryPublisher(Arc::clone(&herd.memory)));
    let database = herd.nodes.database.clone();
    let nodes = DoomedNodes { nodes: PgNodes { database, role: None }, fate: Arc::clone(&fate) };
    let done = tokio::select! {
        done = run(herd, &definer, &nodes, sql) => Some(done),
        () = fate.died.notified() => None,
    };
    (done, fate.left.load(Ordering::SeqCst) > 0)
}

/// A statement by itself, or several in a transaction block. Whether all is done.
async fn run(
    herd: &Herd,
    definer: &Definer<DoomedJournal, MemoryPublisher>,
    nodes: &DoomedNodes,
    sql: &str,
) -> bool {
    let Some((first, rest)) = sql.split_once(';') else {
        return definer.run(&herd.draft(sql), nodes).await.is_ok();
    };
    let Ok(mut home) = nodes.open(herd.catalog().home()).await else { return false };
    if home.query("BEGIN").await.is_err() {
        return false;
    }
    let mut block = definer.open_block().await.unwrap();
    for sql in std::iter::once(first).chain(rest.split(';')) {
        let draft = herd.draft_by(block.catalog(), sql);
        if definer.define_in(&mut block, nodes, home.clone(), &draft).await.is_err() {
            return false;
        }
    }
    definer.commit_block(block, nodes, home).await.is_ok()
}

/// What the repair of the next process does, in short.
async fn repair(herd: &Herd) {
    let instance = herd.memory.instance.clone();
    let open = {
        let jobs = herd.memory.jobs.lock().unwrap();
        jobs.iter()
            .filter(|(_, job)| job.settled.is_none())
            .map(|(id, job)| (*id, job.clone()))
            .collect::<Vec<_>>()
    };
    for node in herd.ids() {
        let found = "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()";
        for gid in herd.ask(node, found).await.lines() {
            let id = gid.strip_prefix(&format!("herd_ddl_{instance}_")).unwrap().parse().unwrap();
            let decided = herd.memory.jobs.lock().unwrap()[&JobId(id)].decided;
            let verb = if decided { "COMMIT" } else { "ROLLBACK" };
            herd.ask(node, &format!("{verb} PREPARED '{gid}'")).await;
        }
    }
    for (id, job) in open {
        if let (true, Intent::Build { undo, .. }) = (job.decided, &job.intent) {
            for (node, statements) in undo {
                herd.ask(node.0, &statements.join(";")).await;
            }
        }
        if let (false, Intent::Alone { node, transaction, changes }) = (job.decided, &job.intent) {
            let status = format!("SELECT pg_xact_status('{transaction}')");
            if herd.ask(node.0, &status).await == "committed" {
                let mut durable = herd.memory.durable.lock().unwrap();
                *durable = Arc::new(durable.apply_all(changes).unwrap());
            }
        }
        let mut jobs = herd.memory.jobs.lock().unwrap();
        jobs.get_mut(&id).unwrap().settled = Some(Settled::Done);
    }
    // A new process knows only what is durable.
    let durable = Arc::clone(&herd.memory.durable.lock().unwrap());
    *herd.memory.catalog.lock().unwrap() = durable;
}

/// Each blow at each step, until the statement comes to its end without having met it.
async fn at_every_step(
    herd: &Herd,
    sql: impl Fn(usize) -> String,
    check: impl AsyncFn(&Herd, usize, Option<bool>),
) {
    let mut number = 0;
    for blow in [Blow::DieBefore, Blow::DieAfter, Blow::LoseBefore, Blow::LoseAnswer] {
        for step in 1..STEPS_MAX {
            number += 1;
            let (done, is_over) = run_doomed(herd, &sql(number), blow, step).await;
            // Sessions of the dead process end with their sockets.
            herd.await_no_transactions().await;
            repair(herd).await;
            check(herd, number, done).await;
            if is_over {
                assert_eq!(done, Some(true), "{blow:?}: nothing happened");
                herd.assert_settled();
                break;
            }
            assert!(step + 1 < STEPS_MAX, "{blow:?}: there is no end");
        }
    }
    assert!(number > 4 * 8, "{number} blows are too few to have met every step");
}

#[tokio::test]
async fn a_new_table_is_there_wholly_or_not_at_all() {
    let herd = Herd::start("crash_create");
    let sql = |n: usize| {
        format!(
            "CREATE TABLE t{n} (id serial PRIMARY KEY) PARTITION BY HASH (id) \
             WITH (herd.fragments = 3)"
        )
    };
    at_every_step(&herd, sql, async |herd, n, done| {
        let name = format!("t{n}");
        let made = format!(
            "SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class \
             WHERE relname ~ '^{name}(_[0-9]+)?$' AND relkind IN ('r', 'p')"
        );
        let is_known = herd.catalog().tables().any(|table| table.name.name == name);
        for node in 1..=3 {
            let leaf = node - 1;
            let expected = if is_known { format!("{name},{name}_{leaf}") } else { String::new() };
            assert_eq!(herd.ask(node, &made).await, expected);
        }
        if let Some(done) = done {
            assert_eq!(done, is_known, "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_single_node_without_prepared_transactions_decides_by_its_own_commit() {
    let herd = Herd::of("crash_alone", &[PLAIN_NODE]);
    let sql = |n: usize| format!("CREATE TABLE t{n} (id int) WITH (herd.reference = true)");
    at_every_step(&herd, sql, async |herd, n, done| {
        let made = herd.ask(PLAIN_NODE, &format!("SELECT to_regclass('t{n}')")).await;
        let is_known = herd.catalog().tables().any(|table| table.name.name == format!("t{n}"));
        assert_eq!(!made.is_empty(), is_known);
        if let Some(done) = done {
            assert_eq!(done, is_known);
        }
    })
    .await;
}

#[tokio::test]
async fn a_table_is_changed_everywhere_or_nowhere() {
    let herd = Herd::start("crash_alter");
    let create = "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY HASH (id)";
    herd.define(&format!("{create} WITH (herd.fragments = 3)")).await;
    let sql = |n: usize| format!("ALTER TABLE t ADD COLUMN c{n} int");
    at_every_step(&herd, sql, async |herd, n, done| {
        let catalog = herd.catalog();
        let table = catalog.tables().next().unwrap();
        let known = table.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        for node in 1..=3 {
            let columns = "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute \
                           WHERE attrelid = 't'::regclass AND attnum > 0";
            assert_eq!(herd.ask(node, columns).await, known.join(","));
        }
        if let Some(done) = done {
            assert_eq!(known.contains(&format!("c{n}")), done);
        }
    })
    .await;
}

#[tokio::test]
async fn a_fragment_is_on_its_node_and_in_the_catalog_or_neither() {
    let herd = Herd::start("crash_fragment");
    herd.define("CREATE TABLE t (k int) PARTITION BY LIST (k) WITH (herd.fragmented = true)").await;
    let sql = |n: usize| {
        format!("CREATE TABLE t_{n} PARTITION OF t FOR VALUES IN ({n}) WITH (herd.node = 'n2')")
    };
    at_every_step(&herd, sql, async |herd, n, done| {
        let on_node = herd.ask(2, &format!("SELECT to_regclass('t_{n}')")).await;
        let catalog = herd.catalog();
        let cut = catalog.tables().next().unwrap().fragmentation().unwrap();
        let is_known = cut.fragments().iter().any(|part| part.name.name == format!("t_{n}"));
        assert_eq!(!on_node.is_empty(), is_known);
        if let Some(done) = done {
            assert_eq!(done, is_known);
        }
    })
    .await;
}

#[tokio::test]
async fn an_index_built_concurrently_is_valid_everywhere_or_gone() {
    let herd = Herd::start("crash_index");
    let create = "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY HASH (id)";
    herd.define(&format!("{create} WITH (herd.fragments = 3)")).await;
    let sql = |n: usize| format!("CREATE INDEX CONCURRENTLY i{n} ON t (id)");
    at_every_step(&herd, sql, async |herd, n, done| {
        let validity = format!(
            "SELECT string_agg(indisvalid::text, ',') FROM pg_index i \
             JOIN pg_class c ON c.oid = indexrelid WHERE relname ~ '^i{n}(_[0-9]+)?$'"
        );
        let mut indexes = Vec::new();
        for node in 1..=3 {
            indexes.push(herd.ask(node, &validity).await);
        }
        let gone = indexes.iter().all(String::is_empty);
        let valid = indexes.iter().all(|valid| valid == "true,true");
        assert!(gone || valid, "i{n}: {indexes:?}");
        if let Some(done) = done {
            assert_eq!(done, valid);
        }
    })
    .await;
}

#[tokio::test]
async fn a_transaction_of_definitions_is_there_wholly_or_not_at_all() {
    let herd = Herd::start("crash_block");
    let sql = |n: usize| {
        format!(
            "CREATE TYPE m{n} AS ENUM ('a');CREATE TABLE t{n} (id int PRIMARY KEY, m m{n}) \
             PARTITION BY HASH (id) WITH (herd.fragments = 3);ALTER TABLE t{n} ADD COLUMN c int"
        )
    };
    at_every_step(&herd, sql, async |herd, n, done| {
        let catalog = herd.catalog();
        let table = catalog.tables().find(|table| table.name.name == format!("t{n}"));
        let is_known = table.is_some_and(|table| table.columns.len() == 3);
        let made = format!(
            "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
             WHERE relname ~ '^t{n}(_[0-9]+)?$' AND relkind IN ('r', 'p') AND attname IN ('m', 'c')"
        );
        let types = format!("SELECT count(*) FROM pg_type WHERE typname = 'm{n}'");
        for node in 1..=3 {
            let (columns, types) = (herd.ask(node, &made).await, herd.ask(node, &types).await);
            let expected = if is_known { ("4", "1") } else { ("0", "0") };
            assert_eq!((&*columns, &*types), expected, "t{n} on n{node}");
        }
        if let Some(done) = done {
            assert_eq!(done, is_known, "t{n}");
        }
    })
    .await;
}

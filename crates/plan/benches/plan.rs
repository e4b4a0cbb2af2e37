//! What understanding a statement costs: the lexer, a hit of the plan cache (at most a microsecond
//! for pgbench's select), and a miss.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use herd_catalog::{
    Bound, Catalog, Change, Column, FamilyWish, FragmentSpec, KindSpec, Method, Node, NodeRole,
    NodeStatus, NodeWish, SearchPath, TableName, TableSpec,
};
use herd_plan::{Context, Planner, lex};
use herd_types::NodeId;

const CACHE_BYTES: usize = 8 << 20;
const SELECT: &str = "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;";
const INSERT: &str = "INSERT INTO pgbench_accounts (aid, b, c, d, e, f, g, h, i, j) \
     VALUES (4711, 'some text', 1.5, NULL, '2024-01-01', 17, 'x', -3, true, 'the last one')";

fn lexer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lex");
    let list = format!("SELECT 1 WHERE a IN ({}1)", "123456, ".repeat(1_000_000));
    for (name, sql) in [("select", SELECT), ("insert", INSERT), ("list of a million", &list)] {
        group.throughput(Throughput::Bytes(sql.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| lex::tokens(black_box(sql.as_bytes())).map(|tokens| tokens.len()));
        });
    }
}

fn planner(criterion: &mut Criterion) {
    let catalog = Arc::new(catalog());
    let search_path = SearchPath::default_for("herd");
    let context = Context {
        routines: herd_plan::Routines::none(),
        catalog: &catalog,
        search_path: &search_path,
        auto_fragment: None,
        parameter_types: &[],
    };
    let statements = [("select", SELECT), ("insert", INSERT), ("begin", "BEGIN")];
    let mut hits = criterion.benchmark_group("hit");
    for (name, sql) in statements {
        let mut planner = Planner::new(CACHE_BYTES);
        assert!(planner.understand(sql.as_bytes(), &context).is_ok(), "{sql}");
        hits.bench_function(name, |bencher| {
            bencher.iter(|| planner.understand(black_box(sql.as_bytes()), &context));
        });
    }
    hits.finish();
    let mut misses = criterion.benchmark_group("miss");
    for (name, sql) in statements {
        // Room for nothing: every statement is new.
        let mut planner = Planner::new(0);
        misses.bench_function(name, |bencher| {
            bencher.iter(|| planner.understand(black_box(sql.as_bytes()), &context));
        });
    }
}

/// Three nodes, and pgbench's table in 16 fragments.
fn catalog() -> Catalog {
    let node = |id| Node {
        id: NodeId(id),
        name: format!("n{id}"),
        host: "127.0.0.1".to_owned(),
        port: 5432,
        dc: "a".to_owned(),
        zone: "z".to_owned(),
        role: NodeRole::Primary,
        status: NodeStatus::Active,
        capacity: 1,
    };
    let column = |(name, type_name): (&str, &str)| Column {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        generated: false,
        has_default: false,
    };
    let fragment = |remainder| FragmentSpec {
        name: TableName::new("public", format!("pgbench_accounts_{remainder}")),
        bound: Bound::Hash { modulus: 16, remainder },
        node: NodeWish::Any,
    };
    let columns = ["abalance", "b", "c", "d", "e", "f", "g", "h", "i", "j"].map(|n| (n, "text"));
    let accounts = Change::AddTable(TableSpec {
        name: TableName::new("public", "pgbench_accounts"),
        columns: [("aid", "integer")].into_iter().chain(columns).map(column).collect(),
        kind: KindSpec::Fragmented {
            method: Method::Hash,
            key: vec!["aid".to_owned()],
            fragments: (0..16).map(fragment).collect(),
            family: FamilyWish::Alike,
        },
    });
    let empty = Catalog::new(NodeId(1), (1..=3).map(node));
    empty.apply(&accounts).expect("the table is valid")
}

criterion_group!(benches, lexer, planner);
criterion_main!(benches);

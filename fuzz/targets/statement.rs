//! A query string of a client: lexed, split and understood.

#![no_main]

use std::sync::{Arc, LazyLock};

use herd_catalog::{Catalog, Node, NodeRole, NodeStatus, SearchPath};
use herd_plan::lex;
use herd_plan::split::split;
use herd_plan::{Context, Planner};
use herd_types::NodeId;
use libfuzzer_sys::fuzz_target;

const CACHE_BYTES_MAX: usize = 1 << 20;

static CATALOG: LazyLock<Arc<Catalog>> = LazyLock::new(|| {
    let node = Node {
        id: NodeId(1),
        name: "n1".to_owned(),
        host: "localhost".to_owned(),
        port: 5432,
        dc: "default".to_owned(),
        zone: "default".to_owned(),
        role: NodeRole::Primary,
        status: NodeStatus::Active,
        capacity: 100,
    };
    Arc::new(Catalog::new(NodeId(1), [node]))
});

fuzz_target!(|sql: &[u8]| {
    if let Ok(tokens) = lex::tokens(sql) {
        let mut end = 0;
        for token in &tokens {
            assert!(token.span().start >= end && token.span().end <= sql.len());
            end = token.span().end;
            let _ = (token.identifier(sql), token.string_value(sql));
        }
        for part in split(sql, &tokens) {
            assert!(part.end <= sql.len());
        }
    }
    let context = Context {
        catalog: &CATALOG,
        search_path: &SearchPath::default_for("fuzz"),
        auto_fragment: None,
        parameter_types: &[],
    };
    let mut planner = Planner::new(CACHE_BYTES_MAX);
    let first = planner.understand(sql, &context).is_ok();
    assert_eq!(first, planner.understand(sql, &context).is_ok(), "a cached plan is the same plan");
});

//! Decoders of SQL.

use std::sync::Arc;

use herd_catalog::{Catalog, SearchPath};
use herd_plan::{Context, Planner, Query, lex, split};

use crate::copy::catalog;

/// A query string, cut into tokens and statements.
pub fn lexer(sql: &[u8]) {
    let Ok(tokens) = lex::tokens(sql) else { return };
    let mut at = 0;
    for token in &tokens {
        let span = token.span();
        assert!(at <= span.start && span.start < span.end && span.end <= sql.len());
        at = span.end;
    }
    let mut next = 0;
    for statement in split::split(sql, &tokens) {
        assert!(next <= statement.start && statement.start < statement.end);
        next = statement.end;
    }
    assert!(next <= tokens.len());
}

/// A query string, understood twice: the second time from the cache, and alike.
pub fn planner(sql: &[u8]) {
    let catalog: Arc<Catalog> = catalog();
    let search_path = SearchPath::default_for("herd");
    let context = Context {
        routines: herd_plan::Routines::none(),
        catalog: &catalog,
        search_path: &search_path,
        auto_fragment: None,
        parameter_types: &[],
    };
    let mut planner = Planner::new(1 << 20);
    let first = planner.understand(sql, &context);
    let again = planner.understand(sql, &context);
    match (&first, &again) {
        (Ok(Query::One(first)), Ok(Query::One(again))) => {
            assert_eq!(format!("{:?}", first.plan), format!("{:?}", again.plan));
            for slot in first.slots.iter() {
                assert!(sql.get(slot.span()).is_some());
            }
        }
        (Ok(Query::Several(parts)), Ok(Query::Several(again))) => {
            assert_eq!(parts.len(), again.len());
            assert!(parts.iter().all(|part| sql.get(part.span.clone()).is_some()));
        }
        (Ok(Query::Empty), Ok(Query::Empty)) | (Err(_), Err(_)) => {}
        _ => panic!("understood differently the second time"),
    }
}

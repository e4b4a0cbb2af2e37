//! Decoders of SQL.

use std::sync::Arc;

use herd_catalog::{Catalog, SearchPath};
use herd_plan::{Context, Planner, Query, lex, split};

use crate::copy::catalog;

pub(crate) const SAMPLES: &[&[u8]] = &[
    b"select k, v from t where k = 42 and v like 'a''b' order by v limit 10",
    b"select E'a\\n\\u0041' || U&'\\0041' || $$x$$ || $a$ $b$ $a$, B'01', X'ff', 1_000, 0x1F, 1.5e-3",
    b"insert into t values (1, 'a'), ($1, $2) on conflict (k) do update set v = excluded.v returning *",
    b"begin; update t set v = 'x' where k in (1, 2); /* a /* nested */ comment */ commit -- end",
    b"copy t (k, v) from stdin with (format csv, header, delimiter ';', null 'x', force_null (v))",
    b"with a as (select 1) select * from a join t using (k) union all values (1, null)",
    b"create table u (k bigint primary key) partition by hash (k) with (herd.fragments = 4)",
    b"create function f() returns int begin atomic select case when 1 = 1 then 2 end; end; select 1",
    b"set search_path to a, \"B\"; show herd.nodes; explain (herd) select 1; reset all; discard all",
    b"prepare p (int, text) as select * from t where k = $1; execute p(1, 'x'); deallocate p",
    b"merge into t using (values (1, 'a')) s (k, v) on t.k = s.k when matched then do nothing",
    b"declare c cursor with hold for select 1; fetch forward 10 from c; move all in c; close all",
];

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

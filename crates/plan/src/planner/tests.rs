//! Query strings through the cache.

use std::sync::Arc;

use expect_test::{Expect, expect};
use herd_catalog::SearchPath;
use proptest::prelude::*;

use super::{Context, Planner, Query, Understood};
use crate::fixture::{catalog, describe};

fn check(sql: &str, expected: Expect) {
    expected.assert_eq(&describe(sql));
}

/// Understands texts one after the other with one planner.
fn understand(texts: &[&str]) -> Vec<Understood> {
    let mut planner = Planner::new(1 << 20);
    let catalog = catalog();
    let search_path = SearchPath::default_for("herd");
    let context = Context {
        routines: crate::Routines::none(),
        catalog: &catalog,
        search_path: &search_path,
        auto_fragment: None,
        parameter_types: &[],
    };
    texts
        .iter()
        .map(|sql| match planner.understand(sql.as_bytes(), &context) {
            Ok(Query::One(understood)) => understood,
            other => panic!("{sql}: {other:?}"),
        })
        .collect()
}

fn share(one: &str, other: &str) -> bool {
    let understood = understand(&[one, other]);
    Arc::ptr_eq(&understood[0].plan, &understood[1].plan)
}

#[test]
fn texts_that_differ_in_literals_and_blanks_share_a_plan() {
    assert!(share("select * from t where a = 1", "select  * from t\nwhere a =/**/ 23;"));
    assert!(share("insert into t values (1, 'a', 1.5)", "insert into t values (2, 'it''s', .5)"));
    assert!(share("select $$a$$ limit 5", "select $x$b$x$ limit 6"));
    assert!(share("select -1", "select -2 -- x"));
}

#[test]
fn texts_that_differ_otherwise_do_not() {
    for (one, other) in [
        ("select 1 from t", "select 1 from u"),
        ("select 1", "select '1'"),
        ("select 1", "select 1.0"),
        ("select 'a'", "select E'a'"),
        ("select 'a'", "select N'a'"),
        ("select 'a' 'b'", "select 'a'\n'b'"),
        ("select $1", "select $2"),
        ("select a.b", "select a .\"b\""),
        ("select 1", "select -1"),
        ("select \"a b\"", "select \"a  b\""),
        ("select a from t order by 1", "select a from t order by 2"),
        ("select a from t group by b, 1", "select a from t group by b, 2"),
        ("select set_config('a', 'b', true)", "select set_config('c', 'b', true)"),
        ("select \"set_config\" ($$a$$, $1)", "select \"set_config\" ($$c$$, $1)"),
        ("set a = 1", "set a = 2"),
    ] {
        assert!(!share(one, other), "{one} / {other}");
    }
}

#[test]
fn integers_are_positions_only_in_their_lists() {
    let slots = |sql: &str| describe(sql).split_once("slots").map(|(_, slots)| slots.to_owned());
    assert_eq!(
        slots("select f(1, 2) from t where a = 3 order by 4, f(5, 6), 7 desc limit 8").unwrap(),
        " 1 2 3 5 6 8\n"
    );
    assert_eq!(
        slots("select rank() over (order by 1, 2), 3 from t group by (4), 5 having b > 6").unwrap(),
        " 3 4 6\n"
    );
}

#[test]
fn literals_are_those_of_the_text_at_hand() {
    let sql = "((select a from t order by b), 1)";
    assert!(understand(&[sql, sql]).iter().all(|understood| understood.slots.len() == 1));
    let understood = understand(&["select 'a', 1", "select  'bcd', 22"]);
    let spans = |n: usize| understood[n].slots.iter().map(|slot| slot.span()).collect::<Vec<_>>();
    assert_eq!(spans(0), [7..10, 12..13]);
    assert_eq!(spans(1), [8..13, 15..17]);
}

#[test]
fn a_plan_is_of_one_context() {
    let mut planner = Planner::new(1 << 20);
    let catalog = catalog();
    let mut plan = |path: &str, auto_fragment, parameter_types: &[u32]| {
        let search_path = SearchPath::new([path.to_owned()]);
        let context = Context {
            routines: crate::Routines::none(),
            catalog: &catalog,
            search_path: &search_path,
            auto_fragment,
            parameter_types,
        };
        match planner.understand(b"select a", &context).unwrap() {
            Query::One(understood) => Arc::as_ptr(&understood.plan),
            other => panic!("{other:?}"),
        }
    };
    let first = plan("a", None, &[]);
    assert_eq!(first, plan("a", None, &[]));
    assert_ne!(first, plan("b", None, &[]));
    assert_ne!(first, plan("a", Some("hash:8"), &[]));
    assert_ne!(first, plan("a", None, &[23]));
    assert_eq!(first, plan("a", None, &[]));
}

#[test]
fn empty_and_several() {
    check(
        "",
        expect![[r#"
        empty
    "#]],
    );
    check(
        " ; /* x */ ;; -- y",
        expect![[r#"
        empty
    "#]],
    );
    check(
        "begin; select a from t where b = 1; commit",
        expect![[r#"
            begin
              Transaction(Begin)
            select a from t where b = 1
              Home, slots 1
            commit
              Transaction(Commit { chain: false })
        "#]],
    );
    check(
        "; select 1;",
        expect![[r#"
            Neutral, slots 1
        "#]],
    );
    check(
        "create function f() returns int begin atomic select 1; end",
        expect![[r#"
        Define(Draft { .. })
    "#]],
    );
    check(
        "(",
        expect![[r#"
        Home
    "#]],
    );
    check(
        "((select 1))",
        expect![[r#"
            Neutral, slots 1
        "#]],
    );
}

#[test]
fn a_part_that_is_refused_leaves_the_others() {
    check(
        "select 1; lock users; select 2",
        expect![[r#"
            select 1
              Neutral, slots 1
            lock users
              0A000: LOCK cannot be used with fragmented table "users" at 6
            select 2
              Neutral, slots 2
        "#]],
    );
}

#[test]
fn names_are_not_guessed_after_a_change_of_search_path() {
    for sql in [
        "set search_path = x; lock users",
        "set local role bob; copy users to stdout",
        "select set_config('search_path', 'x', true); select 1 as users",
        "rollback; select users",
        "begin; set search_path = x; rollback; select users",
        "set herd.auto_fragment = 'hash:8'; create table t (a int primary key)",
        "set search_path = pg_temp; select 1 into t",
        "set search_path = x; explain (herd) pause",
    ] {
        assert!(describe(sql).contains("depends on those before it"), "{}", describe(sql));
    }
    for sql in [
        "set search_path = x; set work_mem = 1; rollback",
        "set work_mem = 1; select * from t",
        "begin; select 1; commit; begin; lock users; rollback",
    ] {
        assert!(!describe(sql).contains("depends"), "{}", describe(sql));
    }
}

#[test]
fn no_new_table_is_called_as_a_logical_one() {
    for sql in [
        "select * into users from t",
        "with x as (select 1) select * into temp table other.users_1 from x",
        "select * into unlogged country from t",
    ] {
        assert!(describe(sql).contains("0A000: SELECT INTO cannot make"), "{sql}");
    }
    assert!(!describe("insert into users select 1, 'x'").contains("SELECT INTO"));
    assert!(!describe("select * into temp x from t").contains("SELECT INTO"));
}

#[test]
fn a_text_that_cannot_be_read_is_refused_as_a_whole() {
    check(
        "select 1; select 'a",
        expect![[r#"
        42601: unterminated quoted string at or near "'a" at 18
    "#]],
    );
}

#[test]
fn effects_of_functions_and_temporary_tables() {
    for (sql, effect) in [
        ("select set_config('a', 'b', false)", "probes settings"),
        ("select pg_catalog.\"set_config\" ($1, $2, true)", "probes settings"),
        ("with x as (select Pg_Try_Advisory_Lock(1)) select 1", "pins for advisory lock"),
        ("select * into temp x from t", "pins for temporary table"),
        ("select * into local temporary table x from t", "pins for temporary table"),
        ("select * into pg_temp.x from t", "pins for temporary table"),
        ("create temp table x (a int)", "pins for temporary table"),
        ("create or replace temporary view x as select 1", "pins for temporary table"),
        ("create local temp sequence s", "pins for temporary table"),
        ("create table pg_temp.x (a int)", "pins for temporary table"),
        ("do $$ begin create temp table x (); end $$", "pins for temporary table"),
        ("do $$ begin perform pg_advisory_lock(1); end $$", "pins for advisory lock"),
    ] {
        assert!(describe(sql).contains(effect), "{sql}: {}", describe(sql));
    }
    for sql in [
        "select pg_advisory_xact_lock(1), pg_advisory_unlock(1), 'set_config(1)', set_config from t",
        "insert into temp select 1",
        "create table temp (a int)",
    ] {
        let meaning = describe(sql);
        assert!(!meaning.contains("pins") && !meaning.contains("probes settings"));
    }
}

#[test]
fn a_long_list_is_planned_for_itself() {
    let list = |from: u32| (from..from + 400).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let texts = [1, 2].map(|from| format!("select * from t where a in ({})", list(from)));
    let understood = understand(&[&texts[0], &texts[0], &texts[1]]);
    assert_eq!(understood[0].slots.len(), 400);
    assert!(!Arc::ptr_eq(&understood[0].plan, &understood[1].plan));
}

/// Pieces from which literals in and out of lists are made.
const PIECES: [&str; 18] = [
    "(",
    ")",
    "select",
    "order by",
    "group by",
    ",",
    "1",
    "'x'",
    "set_config",
    "a",
    "limit",
    ".5",
    "\"set_config\"",
    "union",
    "by",
    "$$y$$",
    "=",
    "$1",
];

proptest! {
    #[test]
    fn a_hit_has_the_literals_of_a_miss(
        head in "\\({0,3}(select|values) ",
        picks in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..30),
    ) {
        let sql = head + &picks.join(" ");
        let understood = understand(&[&sql, &sql]);
        let slots = |n: usize| understood[n].slots.iter().collect::<Vec<_>>();
        prop_assert_eq!(slots(0), slots(1));
    }

    #[test]
    fn any_bytes_are_understood_or_refused(sql in proptest::collection::vec(any::<u8>(), 0..60)) {
        let catalog = catalog();
        let search_path = SearchPath::default_for("herd");
        let context = Context {
            routines: crate::Routines::none(), catalog: &catalog,
            search_path: &search_path,
            auto_fragment: None,
            parameter_types: &[],
        };
        let mut planner = Planner::new(1 << 16);
        let first = planner.understand(&sql, &context).map(|query| format!("{query:?}"));
        let second = planner.understand(&sql, &context).map(|query| format!("{query:?}"));
        prop_assert_eq!(first, second);
    }
}

//! Who runs what leaves something behind, and how statements say so.

use std::fmt::Write as _;

use herd_catalog::SearchPath;

use super::*;
use crate::{Action, Planner, PreparedCommand, Query, fixture};

pub(super) fn describe(effects: Option<&Effects>) -> String {
    let Some(effects) = effects else { return "nothing".to_owned() };
    let mut text = effects.pin.as_ref().map_or("no pin", PinReason::as_str).to_owned();
    if effects.probes_settings {
        text.push_str(", probes");
    }
    if effects.uses_sequences {
        text.push_str(", sequences");
    }
    if effects.redefines {
        text.push_str(", redefines");
    }
    for name in &effects.custom_settings {
        write!(text, ", {name}").unwrap();
    }
    text
}

pub(super) fn routine(oid: u32, name: &str, language: &str, body: &str) -> RoutineText {
    RoutineText {
        oid,
        name: name.to_owned(),
        language: language.to_owned(),
        in_extension: false,
        body: body.to_owned(),
    }
}

#[test]
fn whoever_calls_is_to_blame_too() {
    let survey = Survey::new([
        routine(1, "outer", "plpgsql", "BEGIN PERFORM middle(); END"),
        routine(2, "middle", "sql", "SELECT x.inner FROM x"),
        routine(3, "inner", "sql", "SELECT pg_advisory_lock(1)"),
        routine(4, "other", "sql", "SELECT inner_one(inner) FROM x"),
    ]);
    let routines = survey.into_routines();
    let called: Vec<_> =
        routines.called.iter().map(|(name, of)| (name.as_ref(), describe(Some(of)))).collect();
    let told = |name| (name, "advisory lock in inner".to_owned());
    assert_eq!(called, [told("inner"), told("middle"), told("outer")]);
}

#[test]
fn what_runs_a_function_unasked_is_found_step_by_step() {
    let mut survey = Survey::new([
        routine(1, "on_write", "plpgsql", "BEGIN PERFORM set_config('app.who', 'x', false); END"),
        routine(2, "writer", "sql", "INSERT INTO watched VALUES (1)"),
        routine(3, "reader", "sql", "SELECT * FROM watched FOR UPDATE"),
        routine(4, "anywhere", "plpgsql", "BEGIN EXECUTE format('DELETE FROM %I', t); END"),
    ]);
    assert_eq!(survey.unasked(), [Object::Routine(1)]);
    let dependent = |source, object, name: &str, on_write| Dependent {
        source,
        object,
        name: name.to_owned(),
        on_write,
    };
    let table = Object::Relation(10);
    survey.note([dependent(Object::Routine(1), table, "watched", true)]);
    assert_eq!(survey.unasked(), [Object::Routine(2), Object::Routine(4), table]);
    survey.note([
        dependent(table, Object::Relation(11), "view", false),
        dependent(Object::Routine(2), Object::Operator(12), "<@>", false),
        dependent(Object::Routine(2), Object::EventTrigger(13), "watch", false),
    ]);
    let mut left = survey.unasked();
    left.sort();
    assert_eq!(left, [Object::Relation(11), Object::Operator(12), Object::EventTrigger(13)]);
    survey.note([]);
    assert_eq!(survey.unasked(), []);
    let routines = survey.into_routines();
    assert!(!routines.on_definition.is_none());
    assert!(!routines.called.contains_key("reader"));
    let probes = |sql: &str| pinned_or_probed(&routines, sql);
    assert!(probes("INSERT INTO view VALUES (1)"));
    assert!(probes("WITH x AS (DELETE FROM public.watched RETURNING 1) SELECT 1 FROM x"));
    assert!(probes("SELECT 1 <@> 2"));
    assert!(probes("COPY watched FROM STDIN"));
    assert!(probes("DROP TABLE whatever"));
    assert!(!probes("SELECT * FROM watched, view FOR UPDATE"));
    assert!(!probes("INSERT INTO other SELECT 1"));
}

#[test]
fn names_count_as_they_are_written() {
    let routines = leaving("Leave It");
    assert!(pinned_or_probed(&routines, "SELECT \"Leave It\"()"));
    assert!(!pinned_or_probed(&routines, "SELECT leave(it)"));
    let routines = leaving("leave");
    assert!(pinned_or_probed(&routines, "SELECT a.LEAVE ()"));
    assert!(pinned_or_probed(&routines, "SELECT row.leave FROM row"));
    assert!(pinned_or_probed(&routines, "EXPLAIN ANALYZE SELECT leave()"));
    assert!(pinned_or_probed(&routines, "DO 'BEGIN PERFORM leave(); END'"));
    assert!(pinned_or_probed(&routines, "CREATE TABLE t AS SELECT leave()"));
    assert!(pinned_or_probed(&routines, "PREPARE p AS SELECT leave()"));
    assert!(!pinned_or_probed(&routines, "SELECT leave FROM t"));
    assert!(!pinned_or_probed(&routines, "SELECT 'leave()'"));
    assert!(!pinned_or_probed(&routines, "EXPLAIN SELECT leave()"));
    assert!(!pinned_or_probed(&routines, "DROP FUNCTION leave()"));
}

#[test]
fn definitions_of_code_are_followed_by_a_reading() {
    let redefines = |routines: &Routines, sql: &str| {
        understand(routines, sql).is_some_and(|effects| effects.redefines)
    };
    let (none, some) = (Routines::none(), leaving("leave"));
    assert!(redefines(none, "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS ''"));
    assert!(redefines(none, "ALTER PROCEDURE f RENAME TO g"));
    assert!(redefines(none, "CREATE EXTENSION x"));
    assert!(redefines(none, "CREATE VIEW v AS SELECT pg_advisory_lock(1)"));
    assert!(!redefines(none, "CREATE VIEW v AS SELECT leave()"));
    assert!(redefines(&some, "CREATE VIEW v AS SELECT leave()"));
    assert!(redefines(&some, "CREATE TRIGGER t AFTER INSERT ON x EXECUTE FUNCTION leave()"));
    assert!(redefines(&some, "CREATE OPERATOR + (FUNCTION = leave)"));
    assert!(redefines(&some, "CREATE TABLE t (id int DEFAULT leave())"));
    assert!(!redefines(&some, "CREATE TABLE t (id int)"));
    assert!(!redefines(&some, "CREATE INDEX ON t (id)"));
}

#[test]
fn what_is_not_known_may_do_anything() {
    let effects = understand(Routines::unknown(), "SELECT 1").expect("it is one statement");
    assert_eq!(effects.pin, Some(PinReason::UnknownCode));
    assert!(effects.probes_settings);
}

fn leaving(name: &str) -> Routines {
    let body = "SELECT pg_advisory_lock(1)";
    Survey::new([routine(1, name, "sql", body)]).into_routines()
}

fn pinned_or_probed(routines: &Routines, sql: &str) -> bool {
    let effects = understand(routines, sql).expect("it is one statement");
    effects.pin.is_some() || effects.probes_settings
}

fn understand(routines: &Routines, sql: &str) -> Option<Effects> {
    understand_with(&mut Planner::new(0), routines, sql)
}

fn understand_with(planner: &mut Planner, routines: &Routines, sql: &str) -> Option<Effects> {
    let catalog = fixture::catalog();
    let search_path = SearchPath::default_for("herd");
    let context = Context {
        catalog: &catalog,
        routines,
        search_path: &search_path,
        auto_fragment: None,
        parameter_types: &[],
    };
    match planner.understand(sql.as_bytes(), &context) {
        Ok(Query::One(understood)) => Some(match &understood.plan.action {
            Action::Prepared(PreparedCommand::Prepare(prepare)) => prepare.body.effects.clone(),
            _ => understood.plan.effects.clone(),
        }),
        _ => None,
    }
}

#[test]
fn plans_are_of_the_routines_they_were_made_by() {
    let mut planner = Planner::new(1 << 20);
    let mut is_pinned = |routines: &Routines| {
        let effects = understand_with(&mut planner, routines, "SELECT leave()");
        effects.expect("it is one statement").pin.is_some()
    };
    assert!(!is_pinned(Routines::none()));
    assert!(is_pinned(&leaving("leave").with_version(1)));
    assert!(!is_pinned(Routines::none()));
}

#[test]
fn what_leaves_something_is_not_run_over_rows_of_several_nodes() {
    let catalog = fixture::catalog();
    let search_path = SearchPath::default_for("herd");
    let is_brought = |routines: &Routines| {
        let context = Context {
            catalog: &catalog,
            routines,
            search_path: &search_path,
            auto_fragment: None,
            parameter_types: &[],
        };
        match Planner::new(0).understand(b"SELECT id, leave() FROM users", &context) {
            Ok(Query::One(understood)) => match &understood.plan.action {
                Action::Forward(forward) => forward.exchange.is_some(),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    };
    assert!(is_brought(Routines::none()));
    assert!(!is_brought(&leaving("leave")));
}

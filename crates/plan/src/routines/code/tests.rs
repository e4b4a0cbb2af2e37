//! What bodies leave behind, in every spelling.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::routines::Survey;
use crate::routines::tests::{describe, routine};

fn of_body(language: &str, body: &str) -> String {
    let survey = Survey::new([routine(1, "f", language, body)]);
    describe(survey.into_routines().called.get("f"))
}

/// Each line of `bodies`, with what it leaves behind.
fn check(language: &str, bodies: &str, expected: Expect) {
    let mut actual = String::new();
    for body in bodies.lines().map(str::trim).filter(|body| !body.is_empty()) {
        writeln!(actual, "{body}\n    {}", of_body(language, body)).unwrap();
    }
    expected.assert_eq(&actual);
}

#[test]
fn commands_are_known_where_statements_start() {
    check(
        "plpgsql",
        "BEGIN SET work_mem = '1MB'; END
         BEGIN IF a THEN SET SESSION search_path TO b; END IF; END
         BEGIN SET app.who = 'ann'; END
         BEGIN RESET app.who; END
         BEGIN SET LOCAL work_mem = '1MB'; SET TRANSACTION READ ONLY; SET CONSTRAINTS ALL DEFERRED; END
         BEGIN SET LOCAL search_path = a; END
         BEGIN SET ROLE ann; END
         BEGIN SET SESSION AUTHORIZATION ann; END
         BEGIN RESET ROLE; END
         BEGIN UPDATE t SET a = 1; INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 2; END
         BEGIN ALTER TABLE t ALTER a SET DEFAULT 1; END
         BEGIN reset := 1; set = 2; END
         BEGIN LISTEN news; END
         BEGIN NOTIFY news; UNLISTEN news; END
         BEGIN LOAD 'x'; END
         BEGIN RAISE NOTICE 'SET ROLE x; LISTEN y'; END
         BEGIN CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'; END",
        expect![[r#"
            BEGIN SET work_mem = '1MB'; END
                no pin, probes
            BEGIN IF a THEN SET SESSION search_path TO b; END IF; END
                no pin, probes
            BEGIN SET app.who = 'ann'; END
                no pin, probes, app.who
            BEGIN RESET app.who; END
                no pin, probes, app.who
            BEGIN SET LOCAL work_mem = '1MB'; SET TRANSACTION READ ONLY; SET CONSTRAINTS ALL DEFERRED; END
                no pin
            BEGIN SET LOCAL search_path = a; END
                no pin, probes
            BEGIN SET ROLE ann; END
                role set by code in f, probes
            BEGIN SET SESSION AUTHORIZATION ann; END
                role set by code in f, probes
            BEGIN RESET ROLE; END
                role set by code in f, probes
            BEGIN UPDATE t SET a = 1; INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 2; END
                nothing
            BEGIN ALTER TABLE t ALTER a SET DEFAULT 1; END
                nothing
            BEGIN reset := 1; set = 2; END
                nothing
            BEGIN LISTEN news; END
                LISTEN in f
            BEGIN NOTIFY news; UNLISTEN news; END
                nothing
            BEGIN LOAD 'x'; END
                LOAD in f
            BEGIN RAISE NOTICE 'SET ROLE x; LISTEN y'; END
                nothing
            BEGIN CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'; END
                code of the same transaction in f, redefines
        "#]],
    );
}

#[test]
fn calls_are_known_wherever_they_stand() {
    check(
        "sql",
        "SELECT pg_advisory_lock(1)
         SELECT pg_catalog.PG_TRY_ADVISORY_LOCK_SHARED(1, 2)
         SELECT pg_advisory_xact_lock(1), pg_advisory_unlock(1)
         SELECT set_config('work_mem', '1MB', false)
         SELECT set_config('App.Who', $1, false)
         SELECT set_config('app.who'::text, lower($1), true)
         SELECT set_config('search_path', $1, true)
         SELECT set_config($1, $2, true)
         SELECT set_config($1, $2, false)
         SELECT set_config('role', $1, false)
         SELECT nextval('s')
         SELECT currval('s'), lastval()
         SELECT 'set_config(', set_config FROM t",
        expect![[r#"
            SELECT pg_advisory_lock(1)
                advisory lock in f
            SELECT pg_catalog.PG_TRY_ADVISORY_LOCK_SHARED(1, 2)
                advisory lock in f
            SELECT pg_advisory_xact_lock(1), pg_advisory_unlock(1)
                nothing
            SELECT set_config('work_mem', '1MB', false)
                no pin, probes
            SELECT set_config('App.Who', $1, false)
                no pin, probes, app.who
            SELECT set_config('app.who'::text, lower($1), true)
                no pin
            SELECT set_config('search_path', $1, true)
                no pin, probes
            SELECT set_config($1, $2, true)
                custom setting in f
            SELECT set_config($1, $2, false)
                custom setting in f, probes
            SELECT set_config('role', $1, false)
                role set by code in f, probes
            SELECT nextval('s')
                nothing
            SELECT currval('s'), lastval()
                no pin, sequences
            SELECT 'set_config(', set_config FROM t
                nothing
        "#]],
    );
}

#[test]
fn temporary_objects_count_unless_they_end_with_the_transaction() {
    check(
        "plpgsql",
        "BEGIN CREATE TEMP TABLE t (id int); END
         BEGIN CREATE LOCAL TEMPORARY TABLE IF NOT EXISTS t AS SELECT 1; END
         BEGIN CREATE OR REPLACE TEMP VIEW v AS SELECT 1; END
         BEGIN CREATE TEMP TABLE t (id int) ON COMMIT DROP; END
         BEGIN CREATE TEMP TABLE t ON COMMIT DELETE ROWS AS SELECT 1; END
         BEGIN INSERT INTO pg_temp.t VALUES (1); END
         DECLARE temp record; BEGIN temp := NULL; SELECT temp.a; END",
        expect![[r#"
            BEGIN CREATE TEMP TABLE t (id int); END
                temporary table in f
            BEGIN CREATE LOCAL TEMPORARY TABLE IF NOT EXISTS t AS SELECT 1; END
                temporary table in f
            BEGIN CREATE OR REPLACE TEMP VIEW v AS SELECT 1; END
                temporary table in f, redefines
            BEGIN CREATE TEMP TABLE t (id int) ON COMMIT DROP; END
                nothing
            BEGIN CREATE TEMP TABLE t ON COMMIT DELETE ROWS AS SELECT 1; END
                temporary table in f
            BEGIN INSERT INTO pg_temp.t VALUES (1); END
                temporary table in f
            DECLARE temp record; BEGIN temp := NULL; SELECT temp.a; END
                nothing
        "#]],
    );
}

#[test]
fn executed_texts_are_read_as_far_as_they_can_be_told() {
    check(
        "plpgsql",
        "BEGIN EXECUTE 'SELECT 1'; END
         BEGIN EXECUTE 'SET app.who = 1'; END
         BEGIN EXECUTE 'PREPARE p AS SELECT 1'; END
         BEGIN EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT 1'; END
         BEGIN EXECUTE command; END
         BEGIN EXECUTE 'SELECT ' || command INTO x; END
         BEGIN EXECUTE 'SELECT * FROM ' || quote_ident(t) || ' WHERE a = ' || quote_literal(a) INTO x USING y; END
         BEGIN EXECUTE format('INSERT INTO %I.%I (a, b) VALUES (%L, %2$L)', s, t, a); END
         BEGIN EXECUTE format('SELECT %s', x); END
         BEGIN EXECUTE format('SELECT %I(1)', x); END
         BEGIN EXECUTE format('SET %I = 1', x); END
         BEGIN EXECUTE format('SELECT set_config(%L, %L, false)', x, y); END
         BEGIN EXECUTE format('DO %L', x); END
         BEGIN EXECUTE format('DO %L', 'x') || y; END
         BEGIN EXECUTE 'DO $x$ BEGIN LISTEN x; END $x$'; END
         BEGIN RETURN QUERY EXECUTE q; END
         BEGIN FOR r IN EXECUTE 'SELECT 1' LOOP LISTEN x; END LOOP; END
         BEGIN GRANT EXECUTE ON FUNCTION g() TO ann; CREATE TRIGGER t BEFORE INSERT ON u EXECUTE FUNCTION g(); END",
        expect![[r#"
            BEGIN EXECUTE 'SELECT 1'; END
                nothing
            BEGIN EXECUTE 'SET app.who = 1'; END
                no pin, probes, app.who
            BEGIN EXECUTE 'PREPARE p AS SELECT 1'; END
                PREPARE by code in f
            BEGIN EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT 1'; END
                WITH HOLD cursor in f
            BEGIN EXECUTE command; END
                code that cannot be read in f, probes
            BEGIN EXECUTE 'SELECT ' || command INTO x; END
                code that cannot be read in f, probes
            BEGIN EXECUTE 'SELECT * FROM ' || quote_ident(t) || ' WHERE a = ' || quote_literal(a) INTO x USING y; END
                nothing
            BEGIN EXECUTE format('INSERT INTO %I.%I (a, b) VALUES (%L, %2$L)', s, t, a); END
                nothing
            BEGIN EXECUTE format('SELECT %s', x); END
                code that cannot be read in f, probes
            BEGIN EXECUTE format('SELECT %I(1)', x); END
                code that cannot be read in f, probes
            BEGIN EXECUTE format('SET %I = 1', x); END
                custom setting in f, probes
            BEGIN EXECUTE format('SELECT set_config(%L, %L, false)', x, y); END
                custom setting in f, probes
            BEGIN EXECUTE format('DO %L', x); END
                code that cannot be read in f, probes
            BEGIN EXECUTE format('DO %L', 'x') || y; END
                code that cannot be read in f, probes
            BEGIN EXECUTE 'DO $x$ BEGIN LISTEN x; END $x$'; END
                LISTEN in f
            BEGIN RETURN QUERY EXECUTE q; END
                code that cannot be read in f, probes
            BEGIN FOR r IN EXECUTE 'SELECT 1' LOOP LISTEN x; END LOOP; END
                LISTEN in f
            BEGIN GRANT EXECUTE ON FUNCTION g() TO ann; CREATE TRIGGER t BEFORE INSERT ON u EXECUTE FUNCTION g(); END
                no pin, redefines
        "#]],
    );
}

#[test]
fn other_languages_are_judged_by_their_words() {
    check(
        "plpython3u",
        "return a + b
         plpy.execute('SELECT 1')
         plpy.execute(text)
         plpy.execute(\"SELECT set_config('a', 'b', false)\")
         plpy.execute('UPDATE some.table SET a = 1'); x = set(y)
         plpy.execute('SET work_mem = 1')
         plpy.execute('LISTEN x')
         GD['plan'] = 1",
        expect![[r#"
            return a + b
                nothing
            plpy.execute('SELECT 1')
                nothing
            plpy.execute(text)
                code that cannot be read in f, probes
            plpy.execute("SELECT set_config('a', 'b', false)")
                custom setting in f, probes
            plpy.execute('UPDATE some.table SET a = 1'); x = set(y)
                no pin, probes
            plpy.execute('SET work_mem = 1')
                custom setting in f, probes
            plpy.execute('LISTEN x')
                LISTEN in f
            GD['plan'] = 1
                code that cannot be read in f, probes
        "#]],
    );
    check(
        "c",
        "symbol",
        expect![[r#"
            symbol
                code that cannot be read in f, probes
        "#]],
    );
}

#[test]
fn a_body_of_any_length_is_read_at_once() {
    for piece in ["EXECUTE ", "CREATE TEMP TABLE ", "EXECUTE format(", "EXECUTE 'a' || ", "SET a."]
    {
        let started = std::time::Instant::now();
        of_body("plpgsql", &piece.repeat(50_000));
        assert!(started.elapsed().as_secs() < 10, "{piece}");
    }
}

proptest! {
    #[test]
    fn any_body_is_read_without_panic(body in ".{0,200}", language in "sql|plpgsql|plperl|c") {
        of_body(&language, &body);
    }

    #[test]
    fn pieces_of_code_in_any_order_are_read_without_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "EXECUTE", "format(", "'%I %1$L %%'", "'DO %L'", "||", ")", "(", ";", "SET", "LOCAL",
                "set_config", ",", "true", "quote_ident", ".", "DO", "'BEGIN LISTEN x; END'", "$$ SET",
                "$$", "CREATE", "TEMP", "x", "\"Y\"", "pg_catalog", "INTO", "BEGIN", "RESET", "SESSION",
            ]),
            0..24,
        ),
    ) {
        of_body("plpgsql", &pieces.join(" "));
    }

    #[test]
    fn a_lock_is_found_behind_anything_that_is_whole(before in "[a-z0-9 ,;=+()]{0,60}") {
        let body = format!("{before} ; SELECT pg_advisory_lock(1)");
        let left = of_body("plpgsql", &body);
        prop_assert!(left != "nothing" && !left.starts_with("no pin"), "{body}");
    }
}

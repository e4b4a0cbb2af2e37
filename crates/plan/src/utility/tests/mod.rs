//! Utility statements in all their spellings.

use expect_test::{Expect, expect};

use crate::fixture::describe;

mod settings;
mod transactions;

/// Each line of `statements`, with what it means.
fn check(statements: &str, expected: Expect) {
    let mut actual = String::new();
    for sql in statements.lines().map(str::trim).filter(|sql| !sql.is_empty()) {
        actual += &format!("{sql}\n    {}", describe(sql));
    }
    expected.assert_eq(&actual);
}

#[test]
fn commands_to_herd_itself() {
    check(
        "PAUSE
         resume;
         RELOAD
         DRAIN
         DRAIN node",
        expect![[r#"
            PAUSE
                Admin(Pause)
            resume;
                Admin(Resume)
            RELOAD
                Admin(Reload)
            DRAIN
                Admin(Drain)
            DRAIN node
                Home
        "#]],
    );
}

#[test]
fn prepared_statements() {
    check(
        "PREPARE p AS SELECT 1
         PREPARE \"P\" (int, timestamp(3) with time zone, pg_catalog.text, mood, int[]) AS SELECT $1, 'x'
         PREPARE p (int)
         EXECUTE p
         EXECUTE \"P\"(1, 'a', NULL, now())
         EXPLAIN EXECUTE p(1)
         CREATE TABLE x AS EXECUTE p(1)
         DEALLOCATE p
         DEALLOCATE PREPARE p
         DEALLOCATE prepare
         DEALLOCATE ALL
         DEALLOCATE PREPARE ALL
         DEALLOCATE \"all\"",
        expect![[r#"
            PREPARE p AS SELECT 1
                prepare p at 8..9 [] as (Neutral), slots 1
            PREPARE "P" (int, timestamp(3) with time zone, pg_catalog.text, mood, int[]) AS SELECT $1, 'x'
                prepare P at 8..11 [23, 1184, 25, 4294967295, 4294967295] as (Neutral), slots 'x'
            PREPARE p (int)
                Home
            EXECUTE p
                Prepared(Execute { name: "p", name_span: 8..9, arguments: Arguments { values: [] } })
            EXECUTE "P"(1, 'a', NULL, now())
                Prepared(Execute { name: "P", name_span: 8..11, arguments: Arguments { values: [Text([49]), Text([97]), Null, Expression] } })
            EXPLAIN EXECUTE p(1)
                Prepared(Execute { name: "p", name_span: 16..17, arguments: Arguments { values: [Text([49])] } })
            CREATE TABLE x AS EXECUTE p(1)
                0A000: CREATE TABLE AS EXECUTE is not supported at 19
            DEALLOCATE p
                Prepared(Deallocate { name: "p" })
            DEALLOCATE PREPARE p
                Prepared(Deallocate { name: "p" })
            DEALLOCATE prepare
                Prepared(Deallocate { name: "prepare" })
            DEALLOCATE ALL
                Prepared(DeallocateAll)
            DEALLOCATE PREPARE ALL
                Prepared(DeallocateAll)
            DEALLOCATE "all"
                Prepared(Deallocate { name: "all" })
        "#]],
    );
}

#[test]
fn cursors_stay_where_they_are_declared() {
    check(
        "DECLARE c CURSOR FOR SELECT * FROM t WHERE a = 5
         DECLARE c NO SCROLL BINARY CURSOR WITH HOLD FOR VALUES (1)
         DECLARE c INSENSITIVE SCROLL CURSOR WITHOUT HOLD FOR TABLE t
         FETCH 5 FROM c
         MOVE c
         CLOSE ALL
         DECLARE c CURSOR",
        expect![[r#"
            DECLARE c CURSOR FOR SELECT * FROM t WHERE a = 5
                Home, slots 5
            DECLARE c NO SCROLL BINARY CURSOR WITH HOLD FOR VALUES (1)
                Current, pins for WITH HOLD cursor, slots 1
            DECLARE c INSENSITIVE SCROLL CURSOR WITHOUT HOLD FOR TABLE t
                Home
            FETCH 5 FROM c
                Current
            MOVE c
                Current
            CLOSE ALL
                Current
            DECLARE c CURSOR
                Home
        "#]],
    );
}

#[test]
fn notifications_and_libraries() {
    check(
        "LISTEN x
         UNLISTEN *
         NOTIFY x, 'y'
         LOAD 'auto_explain'",
        expect![[r#"
            LISTEN x
                Home, pins for LISTEN
            UNLISTEN *
                Home
            NOTIFY x, 'y'
                Home
            LOAD 'auto_explain'
                Home, pins for LOAD
        "#]],
    );
}

#[test]
fn code_may_not_speak_of_logical_tables() {
    check(
        "DO $$ BEGIN PERFORM 1; END $$
         DO LANGUAGE plpgsql $$ BEGIN PERFORM * FROM Users; END $$
         DO 'BEGIN EXECUTE ''delete from public.\"country\"''; END'
         DO $$ BEGIN PERFORM * FROM users_2; END $$
         DO $$ BEGIN PERFORM * FROM users_99; END $$
         CALL f(1, 'x')
         CALL f((SELECT max(id) FROM users))",
        expect![[r#"
            DO $$ BEGIN PERFORM 1; END $$
                Home, probes settings
            DO LANGUAGE plpgsql $$ BEGIN PERFORM * FROM Users; END $$
                0A000: DO cannot be used with fragmented table "users"
            DO 'BEGIN EXECUTE ''delete from public."country"''; END'
                0A000: DO cannot be used with reference table "country"
            DO $$ BEGIN PERFORM * FROM users_2; END $$
                0A000: DO cannot be used with fragmented table "users"
            DO $$ BEGIN PERFORM * FROM users_99; END $$
                Home, probes settings
            CALL f(1, 'x')
                Home, probes settings
            CALL f((SELECT max(id) FROM users))
                0A000: CALL cannot be used with fragmented table "users" at 29
        "#]],
    );
}

#[test]
fn utility_commands_on_home_tables_go_home_and_on_logical_tables_nowhere() {
    check(
        "LOCK TABLE t
         LOCK TABLE users IN SHARE MODE
         VACUUM (ANALYZE) t
         VACUUM public.country
         ANALYZE other.users
         ANALYZE users_1 (id)
         CHECKPOINT
         MYSTERY OF users
         MYSTERY",
        expect![[r#"
            LOCK TABLE t
                Home
            LOCK TABLE users IN SHARE MODE
                0A000: LOCK cannot be used with fragmented table "users" at 12
            VACUUM (ANALYZE) t
                Home
            VACUUM public.country
                Define(Draft { .. })
            ANALYZE other.users
                Define(Draft { .. })
            ANALYZE users_1 (id)
                Define(Draft { .. })
            CHECKPOINT
                Home
            MYSTERY OF users
                0A000: MYSTERY cannot be used with fragmented table "users" at 12
            MYSTERY
                Home
        "#]],
    );
}

#[test]
fn explain_goes_where_its_statement_goes() {
    check(
        "EXPLAIN SELECT set_config('a', 'b', true) FROM t WHERE a = 1
         EXPLAIN ANALYZE VERBOSE SELECT set_config('a', 'b', true)
         EXPLAIN (ANALYZE, COSTS off) SELECT pg_advisory_lock(1)
         EXPLAIN (ANALYZE off) SELECT pg_advisory_lock(1)
         EXPLAIN (SELECT 1)
         EXPLAIN DECLARE c CURSOR FOR SELECT 1
         EXPLAIN CREATE TABLE x AS SELECT 1
         EXPLAIN ANALYZE CREATE TEMP TABLE x AS SELECT 1
         EXPLAIN (HERD) SELECT 1
         EXPLAIN (HERD) BEGIN
         EXPLAIN (HERD, ANALYZE) SELECT 1",
        expect![[r#"
            EXPLAIN SELECT set_config('a', 'b', true) FROM t WHERE a = 1
                Home, slots 'b' 1
            EXPLAIN ANALYZE VERBOSE SELECT set_config('a', 'b', true)
                Home, probes settings, slots 'b'
            EXPLAIN (ANALYZE, COSTS off) SELECT pg_advisory_lock(1)
                Home, pins for advisory lock, slots 1
            EXPLAIN (ANALYZE off) SELECT pg_advisory_lock(1)
                Home, slots 1
            EXPLAIN (SELECT 1)
                Neutral, slots 1
            EXPLAIN DECLARE c CURSOR FOR SELECT 1
                Current, slots 1
            EXPLAIN CREATE TABLE x AS SELECT 1
                Home
            EXPLAIN ANALYZE CREATE TEMP TABLE x AS SELECT 1
                Home, pins for temporary table
            EXPLAIN (HERD) SELECT 1
                explain 15..23 (Neutral), slots 1
            EXPLAIN (HERD) BEGIN
                explain 15..20 (Transaction(Begin))
            EXPLAIN (HERD, ANALYZE) SELECT 1
                42601: EXPLAIN option HERD cannot be combined with others at 10
        "#]],
    );
}

#[test]
fn copy_of_a_query_has_its_literals() {
    check(
        "COPY (SELECT a FROM t WHERE b = 'x') TO STDOUT",
        expect![[r#"
            COPY (SELECT a FROM t WHERE b = 'x') TO STDOUT
                Home, slots 'x'
        "#]],
    );
}

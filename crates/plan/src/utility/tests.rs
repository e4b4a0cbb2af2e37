//! Utility statements in all their spellings.

use expect_test::{Expect, expect};

use crate::fixture::describe;

/// Each line of `statements`, with what it means.
fn check(statements: &str, expected: Expect) {
    let mut actual = String::new();
    for sql in statements.lines().map(str::trim).filter(|sql| !sql.is_empty()) {
        actual += &format!("{sql}\n    {}", describe(sql));
    }
    expected.assert_eq(&actual);
}

#[test]
fn transactions_in_all_spellings() {
    check(
        "BEGIN
         begin work
         BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY DEFERRABLE;
         START TRANSACTION READ WRITE, NOT DEFERRABLE
         COMMIT
         END WORK AND NO CHAIN
         commit transaction and chain
         ROLLBACK
         ABORT AND CHAIN
         SAVEPOINT \"A b\"
         SAVEPOINT savepoint
         RELEASE SAVEPOINT S1
         RELEASE savepoint
         ROLLBACK TO s1
         ROLLBACK WORK TO SAVEPOINT s1
         rollback to savepoint
         ROLLBACK AND NO CHAIN",
        expect![[r#"
            BEGIN
                Transaction(Begin)
            begin work
                Transaction(Begin)
            BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY DEFERRABLE;
                Transaction(Begin)
            START TRANSACTION READ WRITE, NOT DEFERRABLE
                Transaction(Begin)
            COMMIT
                Transaction(Commit { chain: false })
            END WORK AND NO CHAIN
                Transaction(Commit { chain: false })
            commit transaction and chain
                Transaction(Commit { chain: true })
            ROLLBACK
                Transaction(Rollback { chain: false })
            ABORT AND CHAIN
                Transaction(Rollback { chain: true })
            SAVEPOINT "A b"
                Transaction(Savepoint { name: "A b" })
            SAVEPOINT savepoint
                Transaction(Savepoint { name: "savepoint" })
            RELEASE SAVEPOINT S1
                Transaction(Release { name: "s1" })
            RELEASE savepoint
                Transaction(Release { name: "savepoint" })
            ROLLBACK TO s1
                Transaction(RollbackTo { name: "s1" })
            ROLLBACK WORK TO SAVEPOINT s1
                Transaction(RollbackTo { name: "s1" })
            rollback to savepoint
                Transaction(RollbackTo { name: "savepoint" })
            ROLLBACK AND NO CHAIN
                Transaction(Rollback { chain: false })
        "#]],
    );
}

#[test]
fn two_phase_commit_of_clients_is_at_home() {
    check(
        "PREPARE TRANSACTION 'x'
         COMMIT PREPARED 'x'
         ROLLBACK PREPARED 'x'",
        expect![[r#"
            PREPARE TRANSACTION 'x'
                Home
            COMMIT PREPARED 'x'
                Home
            ROLLBACK PREPARED 'x'
                Home
        "#]],
    );
}

#[test]
fn a_transaction_command_that_no_grammar_has_is_refused_by_the_node() {
    check(
        "BEGIN READ
         BEGIN READ ONLY,
         START
         START TRANSACTION WORK
         COMMIT 1
         SAVEPOINT
         ABORT TO s1
         ROLLBACK TO",
        expect![[r#"
            BEGIN READ
                Current
            BEGIN READ ONLY,
                Current
            START
                Current
            START TRANSACTION WORK
                Current
            COMMIT 1
                Current
            SAVEPOINT
                Current
            ABORT TO s1
                Current
            ROLLBACK TO
                Current
        "#]],
    );
}

#[test]
fn settings_in_all_spellings() {
    check(
        "SET search_path = a, \"B c\", 'D'
         SET search_path TO ''
         set SESSION Work_Mem TO '64MB'
         SET x.\"Y\" = on, -1.5, +2
         SET local.x = 1
         SET session TO 1
         SET extra_float_digits = -1
         SET LOCAL statement_timeout = 5
         SET LOCAL statement_timeout TO DEFAULT
         SET statement_timeout = DEFAULT
         SET x FROM CURRENT
         SET TIME ZONE 'Europe/Berlin'
         SET TIME ZONE -7
         SET TIME ZONE LOCAL
         SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE
         SET LOCAL TIME ZONE UTC
         SET SCHEMA 'it''s'
         SET NAMES 'utf8'
         SET NAMES
         SET SEED TO 0.5
         SET ROLE alice
         SET ROLE 'Alice'
         SET ROLE NONE
         SET role = none
         SET LOCAL ROLE NONE
         SET SESSION ROLE bob
         SET SESSION AUTHORIZATION bob
         SET SESSION SESSION AUTHORIZATION 'Bob'
         SET LOCAL SESSION AUTHORIZATION bob
         SET SESSION AUTHORIZATION DEFAULT
         SET XML OPTION DOCUMENT",
        expect![[r#"
            SET search_path = a, "B c", 'D'
                Setting(Set { name: "search_path", values: Some(["a", "B c", "D"]) })
            SET search_path TO ''
                Setting(Set { name: "search_path", values: Some([""]) })
            set SESSION Work_Mem TO '64MB'
                Setting(Set { name: "work_mem", values: Some(["64MB"]) })
            SET x."Y" = on, -1.5, +2
                Setting(Set { name: "x.y", values: Some(["on", "-1.5", "2"]) })
            SET local.x = 1
                Setting(Set { name: "local.x", values: Some(["1"]) })
            SET session TO 1
                Setting(Set { name: "session", values: Some(["1"]) })
            SET extra_float_digits = -1
                Setting(Set { name: "extra_float_digits", values: Some(["-1"]) })
            SET LOCAL statement_timeout = 5
                Setting(SetLocal { name: "statement_timeout", values: Some(["5"]) })
            SET LOCAL statement_timeout TO DEFAULT
                Setting(ResetLocal { name: "statement_timeout" })
            SET statement_timeout = DEFAULT
                Setting(Reset { name: "statement_timeout" })
            SET x FROM CURRENT
                Setting(Set { name: "x", values: None })
            SET TIME ZONE 'Europe/Berlin'
                Setting(Set { name: "timezone", values: Some(["Europe/Berlin"]) })
            SET TIME ZONE -7
                Setting(Set { name: "timezone", values: Some(["-7"]) })
            SET TIME ZONE LOCAL
                Setting(Reset { name: "timezone" })
            SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE
                Setting(Set { name: "timezone", values: None })
            SET LOCAL TIME ZONE UTC
                Setting(SetLocal { name: "timezone", values: Some(["utc"]) })
            SET SCHEMA 'it''s'
                Setting(Set { name: "search_path", values: Some(["it's"]) })
            SET NAMES 'utf8'
                Setting(Set { name: "client_encoding", values: Some(["utf8"]) })
            SET NAMES
                Setting(Reset { name: "client_encoding" })
            SET SEED TO 0.5
                Setting(Set { name: "seed", values: Some(["0.5"]) })
            SET ROLE alice
                Setting(Set { name: "role", values: Some(["alice"]) })
            SET ROLE 'Alice'
                Setting(Set { name: "role", values: Some(["Alice"]) })
            SET ROLE NONE
                Setting(Reset { name: "role" })
            SET role = none
                Setting(Reset { name: "role" })
            SET LOCAL ROLE NONE
                Setting(ResetLocal { name: "role" })
            SET SESSION ROLE bob
                Setting(Set { name: "role", values: Some(["bob"]) })
            SET SESSION AUTHORIZATION bob
                Setting(Set { name: "session_authorization", values: Some(["bob"]) })
            SET SESSION SESSION AUTHORIZATION 'Bob'
                Setting(Set { name: "session_authorization", values: Some(["Bob"]) })
            SET LOCAL SESSION AUTHORIZATION bob
                Setting(SetLocal { name: "session_authorization", values: Some(["bob"]) })
            SET SESSION AUTHORIZATION DEFAULT
                Setting(Reset { name: "session_authorization" })
            SET XML OPTION DOCUMENT
                Setting(Set { name: "xmloption", values: Some(["DOCUMENT"]) })
        "#]],
    );
}

#[test]
fn settings_of_the_transaction() {
    check(
        "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
         SET LOCAL TRANSACTION READ ONLY
         SET SESSION TRANSACTION READ ONLY
         SET TRANSACTION SNAPSHOT '0003'
         SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY
         SET transaction_read_only = on
         SET CONSTRAINTS ALL DEFERRED
         RESET TRANSACTION ISOLATION LEVEL",
        expect![[r#"
            SET TRANSACTION ISOLATION LEVEL SERIALIZABLE
                Setting(Local)
            SET LOCAL TRANSACTION READ ONLY
                Setting(Local)
            SET SESSION TRANSACTION READ ONLY
                Setting(Local)
            SET TRANSACTION SNAPSHOT '0003'
                Home
            SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY
                Setting(Characteristics)
            SET transaction_read_only = on
                Setting(Local)
            SET CONSTRAINTS ALL DEFERRED
                Setting(Local)
            RESET TRANSACTION ISOLATION LEVEL
                Setting(Local)
        "#]],
    );
}

#[test]
fn resets_and_discards() {
    check(
        "RESET ALL
         RESET search_path
         RESET TIME ZONE
         RESET SESSION AUTHORIZATION
         RESET ROLE
         RESET x.Y
         DISCARD ALL
         DISCARD PLANS
         DISCARD TEMPORARY
         DISCARD x",
        expect![[r#"
            RESET ALL
                Setting(ResetAll)
            RESET search_path
                Setting(Reset { name: "search_path" })
            RESET TIME ZONE
                Setting(Reset { name: "timezone" })
            RESET SESSION AUTHORIZATION
                Setting(Reset { name: "session_authorization" })
            RESET ROLE
                Setting(Reset { name: "role" })
            RESET x.Y
                Setting(Reset { name: "x.y" })
            DISCARD ALL
                Setting(DiscardAll)
            DISCARD PLANS
                Setting(Discard)
            DISCARD TEMPORARY
                Setting(Discard)
            DISCARD x
                Home
        "#]],
    );
}

#[test]
fn settings_that_would_blind_the_lexer_are_refused() {
    check(
        "SET standard_conforming_strings = off
         SET LOCAL standard_conforming_strings TO 'no'
         SET standard_conforming_strings = yes
         SET \"Standard_Conforming_Strings\" = 0
         SET NAMES 'SJIS'
         SET client_encoding = 'Shift-JIS_2004'
         SET client_encoding TO gb18030
         SET client_encoding TO latin1
         SET client_encoding TO a, b
         RESET client_encoding",
        expect![[r#"
            SET standard_conforming_strings = off
                0A000: standard_conforming_strings must stay on
            SET LOCAL standard_conforming_strings TO 'no'
                0A000: standard_conforming_strings must stay on
            SET standard_conforming_strings = yes
                Setting(Set { name: "standard_conforming_strings", values: Some(["yes"]) })
            SET "Standard_Conforming_Strings" = 0
                0A000: standard_conforming_strings must stay on
            SET NAMES 'SJIS'
                0A000: client_encoding SJIS is not supported
            SET client_encoding = 'Shift-JIS_2004'
                0A000: client_encoding Shift-JIS_2004 is not supported
            SET client_encoding TO gb18030
                0A000: client_encoding gb18030 is not supported
            SET client_encoding TO latin1
                Setting(Set { name: "client_encoding", values: Some(["latin1"]) })
            SET client_encoding TO a, b
                0A000: client_encoding must be given as one plain value
            RESET client_encoding
                Setting(Reset { name: "client_encoding" })
        "#]],
    );
}

#[test]
fn show_of_herd_and_of_settings() {
    check(
        "SHOW NODES
         show \"fragments\"
         SHOW VERSION;
         SHOW search_path
         SHOW ALL
         SHOW TRANSACTION ISOLATION LEVEL",
        expect![[r#"
            SHOW NODES
                Show(Nodes)
            show "fragments"
                Show(Fragments)
            SHOW VERSION;
                Show(Version)
            SHOW search_path
                Neutral
            SHOW ALL
                Neutral
            SHOW TRANSACTION ISOLATION LEVEL
                Neutral
        "#]],
    );
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

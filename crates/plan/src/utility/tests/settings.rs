//! SET, RESET, DISCARD and SHOW.

use expect_test::expect;

use super::check;

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
         SET x FROM CURRENT",
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
        "#]],
    );
}

#[test]
fn zones_names_and_roles_have_words_of_their_own() {
    check(
        "SET TIME ZONE 'Europe/Berlin'
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

//! Transaction commands.

use expect_test::expect;

use super::check;

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

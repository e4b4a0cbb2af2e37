//! BEGIN, COMMIT, SAVEPOINT and their kin, in all spellings.

use crate::cursor::Cursor;
use crate::lex::{self, Kind};
use crate::{Action, Plan, Target, TransactionCommand};

/// `command` is the word that `cursor` has just passed. What PostgreSQL's grammar refuses goes to
/// where the transaction is, to be refused there.
pub(super) fn understand(command: &str, mut cursor: Cursor<'_>) -> Option<Plan> {
    let action = match command {
        "begin" => {
            cursor.one_of(&["work", "transaction"]);
            begin(&mut cursor)
        }
        "start" if cursor.word("transaction") => begin(&mut cursor),
        "commit" if cursor.word("prepared") => return Some(decide_prepared()),
        "commit" | "end" => chain(&mut cursor).map(|chain| TransactionCommand::Commit { chain }),
        "rollback" if cursor.word("prepared") => return Some(decide_prepared()),
        "rollback" => roll_back(&mut cursor),
        "abort" => chain(&mut cursor).map(|chain| TransactionCommand::Rollback { chain }),
        "savepoint" => name(&mut cursor).map(|name| TransactionCommand::Savepoint { name }),
        "release" => savepoint_name(&mut cursor).map(|name| TransactionCommand::Release { name }),
        _ => None,
    };
    Some(match action.filter(|_| cursor.is_done()) {
        Some(action) => Plan::new(Action::Transaction(action), "controls the transaction"),
        None => Plan::forward(Target::Current, "not a transaction command that PostgreSQL knows"),
    })
}

/// PREPARE TRANSACTION and what follows it are a client's own two-phase commit.
pub(super) fn decide_prepared() -> Plan {
    Plan::forward(Target::Home, "prepared transactions of clients are at home")
}

/// Whether the statement is PREPARE TRANSACTION, which ends a transaction on its node.
#[must_use]
pub fn prepares_transaction(sql: &[u8]) -> bool {
    let Ok(tokens) = lex::tokens(sql) else { return false };
    Cursor::new(sql, &tokens).words(&["prepare", "transaction"])
}

fn begin(cursor: &mut Cursor<'_>) -> Option<TransactionCommand> {
    transaction_modes(cursor).then_some(TransactionCommand::Begin)
}

/// Reads `[ISOLATION LEVEL …] [READ ONLY | READ WRITE] [[NOT] DEFERRABLE]`, with or without
/// commas, to the end of the statement.
fn transaction_modes(cursor: &mut Cursor<'_>) -> bool {
    const MODES: [&[&str]; 8] = [
        &["isolation", "level", "read", "uncommitted"],
        &["isolation", "level", "read", "committed"],
        &["isolation", "level", "repeatable", "read"],
        &["isolation", "level", "serializable"],
        &["read", "only"],
        &["read", "write"],
        &["deferrable"],
        &["not", "deferrable"],
    ];
    let mut demanded = false;
    while demanded || !cursor.is_done() {
        if !MODES.iter().any(|mode| cursor.words(mode)) {
            return false;
        }
        demanded = cursor.kind(Kind::Comma).is_some();
    }
    true
}

/// `[WORK | TRANSACTION] [AND [NO] CHAIN]`: whether another transaction begins at once.
fn chain(cursor: &mut Cursor<'_>) -> Option<bool> {
    cursor.one_of(&["work", "transaction"]);
    if cursor.words(&["and", "chain"]) {
        return Some(true);
    }
    cursor.words(&["and", "no", "chain"]);
    Some(false)
}

fn roll_back(cursor: &mut Cursor<'_>) -> Option<TransactionCommand> {
    let mut ahead = *cursor;
    ahead.one_of(&["work", "transaction"]);
    if ahead.word("to") {
        *cursor = ahead;
        return savepoint_name(cursor).map(|name| TransactionCommand::RollbackTo { name });
    }
    chain(cursor).map(|chain| TransactionCommand::Rollback { chain })
}

/// `[SAVEPOINT] name`, where the name may be `savepoint` itself.
fn savepoint_name(cursor: &mut Cursor<'_>) -> Option<String> {
    if cursor.rest().len() > 1 {
        cursor.word("savepoint");
    }
    name(cursor)
}

fn name(cursor: &mut Cursor<'_>) -> Option<String> {
    Some(cursor.identifier()?.into_owned())
}

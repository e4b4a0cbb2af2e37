//! What a statement leaves behind in the session, from its tokens alone.
//!
//! Function calls are found wherever they stand: a name and a parenthesis. What a user's function
//! does inside is not seen here.

use crate::cursor::Cursor;
use crate::lex::{Kind, Token};
use crate::{Context, Effects, PinReason};

/// Functions that take an advisory lock for the session; those for the transaction say `xact`.
const SESSION_LOCKS: [&str; 4] = [
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
];
/// Changes any setting, whose name may be computed.
const SET_CONFIG: &str = "set_config";

/// Make, or tell, what `nextval` gave to the same session.
const SEQUENCE_STATE: [&str; 4] = ["nextval", "setval", "currval", "lastval"];

/// The effects of any statement: of the functions that it calls, and of SELECT … INTO TEMP.
pub(crate) fn of_statement(sql: &[u8], tokens: &[Token], context: &Context<'_>) -> Effects {
    let mut effects = Effects::default();
    for (n, &token) in tokens.iter().enumerate() {
        let called = tokens.get(n + 1).is_some_and(|next| next.kind == Kind::LeftParen);
        if called && token.kind.is_identifier() {
            effects = effects.and(of_call(sql, token));
        } else if token.is_word(sql, "into") {
            let inserts = n.checked_sub(1).map(|before| tokens[before]).is_some_and(|before| {
                before.is_word(sql, "insert") || before.is_word(sql, "merge")
            });
            let target = Cursor::new(sql, &tokens[n + 1..]);
            if !inserts && names_temporary(target, context) {
                effects = effects.and(Effects::pinned(PinReason::TemporaryTable));
            }
        }
    }
    effects
}

/// The effects of a CREATE statement: a temporary object ties the session to its connection.
pub(crate) fn of_create(sql: &[u8], tokens: &[Token], context: &Context<'_>) -> Effects {
    let effects = of_statement(sql, tokens, context);
    let mut object = Cursor::new(sql, tokens);
    object.word("create");
    object.words(&["or", "replace"]);
    let in_schema = (0..tokens.len()).any(|n| names_temporary_schema(sql, &tokens[n..]));
    if in_schema || names_temporary(object, context) {
        effects.and(Effects::pinned(PinReason::TemporaryTable))
    } else {
        effects
    }
}

/// The effects of code that a server runs as a whole, judged by its words.
pub(crate) fn of_body(body: &[u8]) -> Effects {
    let mut effects = Effects { probes_settings: true, ..Effects::default() };
    for word in body.split(|&byte| !(byte.is_ascii_alphanumeric() || byte == b'_')) {
        let is = |name: &&str| word.eq_ignore_ascii_case(name.as_bytes());
        if ["temp", "temporary", "pg_temp"].iter().any(is) {
            effects = effects.and(Effects::pinned(PinReason::TemporaryTable));
        } else if SESSION_LOCKS.iter().any(is) {
            effects = effects.and(Effects::pinned(PinReason::AdvisoryLock));
        } else if is(&"listen") {
            effects = effects.and(Effects::pinned(PinReason::Listen));
        }
    }
    effects
}

fn of_call(sql: &[u8], name: Token) -> Effects {
    let Some(name) = name.identifier(sql) else {
        return Effects::default();
    };
    if name == SET_CONFIG {
        Effects { probes_settings: true, ..Effects::default() }
    } else if SEQUENCE_STATE.contains(&name.as_ref()) {
        Effects { uses_sequences: true, ..Effects::default() }
    } else if SESSION_LOCKS.contains(&name.as_ref()) {
        Effects::pinned(PinReason::AdvisoryLock)
    } else {
        Effects::default()
    }
}

/// Whether `[LOCAL | GLOBAL] TEMP` stands here, a name in `pg_temp`, or any name at all while
/// `pg_temp` is where new objects may go.
fn names_temporary(mut cursor: Cursor<'_>, context: &Context<'_>) -> bool {
    cursor.one_of(&["local", "global"]);
    cursor.one_of(&["temp", "temporary"]).is_some()
        || names_temporary_schema(cursor.sql(), cursor.rest())
        || context.search_path.schemas().any(|schema| schema == "pg_temp")
}

fn names_temporary_schema(sql: &[u8], tokens: &[Token]) -> bool {
    let [schema, dot, ..] = tokens else {
        return false;
    };
    dot.kind == Kind::Dot && schema.identifier(sql).is_some_and(|name| name == "pg_temp")
}

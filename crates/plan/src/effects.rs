//! What a statement leaves behind in the session, from its tokens alone.
//!
//! Function calls are found wherever they stand: a name and a parenthesis. What functions of the
//! database do inside is known to `routines`.

use crate::cursor::Cursor;
use crate::lex::{Kind, Token};
use crate::routines::{Code, Makes};
use crate::{Context, Effects, PinReason};

/// Functions that take an advisory lock for the session; those for the transaction say `xact`.
pub(crate) const SESSION_LOCKS: [&str; 4] = [
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
    of_tokens(sql, tokens, context).and(context.routines.of_statement(sql, tokens, context))
}

fn of_tokens(sql: &[u8], tokens: &[Token], context: &Context<'_>) -> Effects {
    let mut effects = Effects::default();
    let mut names_settings = false;
    for (n, &token) in tokens.iter().enumerate() {
        names_settings |= token.is_word(sql, "pg_settings");
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
    // `UPDATE pg_settings` sets what it updates.
    effects.probes_settings |=
        names_settings && tokens.iter().any(|token| token.is_word(sql, "update"));
    effects
}

/// The effects of DDL. A temporary object ties the session to its connection.
pub(crate) fn of_definition(sql: &[u8], tokens: &[Token], context: &Context<'_>) -> Effects {
    let routines = context.routines;
    let is = |verbs: &[&str]| {
        tokens.first().is_some_and(|first| verbs.iter().any(|verb| first.is_word(sql, verb)))
    };
    let makes = Makes::of(sql, tokens);
    let mut effects = of_create(sql, tokens, context);
    effects.redefines = match makes {
        Makes::Function => true,
        Makes::Caller if effects != Effects::NONE => true,
        Makes::Caller | Makes::NoCode => {
            is(&["create", "alter"]) && routines.concern_definition(sql, tokens)
        }
    };
    if makes == Makes::NoCode && !is(&["drop", "comment", "grant", "revoke", "security"]) {
        effects = effects.and(routines.of_statement(sql, tokens, context));
    }
    effects.and(routines.on_definition())
}

/// The effects of a CREATE statement that makes something temporary, or of any other.
pub(crate) fn of_create(sql: &[u8], tokens: &[Token], context: &Context<'_>) -> Effects {
    let effects = of_tokens(sql, tokens, context);
    let mut object = Cursor::new(sql, tokens);
    if !object.word("create") {
        return effects;
    }
    object.words(&["or", "replace"]);
    let in_schema = (0..tokens.len()).any(|n| names_temporary_schema(sql, &tokens[n..]));
    if in_schema || names_temporary(object, context) {
        effects.and(Effects::pinned(PinReason::TemporaryTable))
    } else {
        effects
    }
}

/// The effects of code that a server runs as a whole.
pub(crate) fn of_body(body: &[u8], context: &Context<'_>) -> Effects {
    let code = Code::read(body);
    let called = context.routines.of_code(&code);
    let probes = Effects { probes_settings: true, ..Effects::default() };
    code.effects.and(called).and(probes)
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

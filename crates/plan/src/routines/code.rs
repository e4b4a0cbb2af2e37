//! The body of a function, or of a DO, in SQL or PL/pgSQL: what it leaves behind in the session.
//!
//! Read from its tokens alone. Whatever is doubtful counts as done.

use super::computed::{self, Computed, UNKNOWN};
use super::{Mentions, other_language};
use crate::custom_settings::{is_local, name_of};
use crate::effects::SESSION_LOCKS;
use crate::lex::{self, Kind, Token};
use crate::{Effects, NoParameters, PinReason};

/// Code within code: a body that executes a text with a body of its own.
const DEPTH_MAX: usize = 4;
/// How far is read for the end of one statement, so that bodies of any length are read in time.
pub(super) const TOKENS_AHEAD_MAX: usize = 500;
/// A statement may follow these words without a semicolon.
const BEFORE_STATEMENTS: [&str; 5] = ["begin", "then", "else", "loop", "atomic"];
/// Settings that are not restored like others.
const IDENTITIES: [&str; 2] = ["role", "session_authorization"];
/// What `CREATE` and `ALTER` of functions are followed by.
const FUNCTIONS: [&str; 6] =
    ["function", "procedure", "routine", "aggregate", "extension", "language"];
/// What `CREATE` and `ALTER` of that which calls functions later are followed by.
const CALLERS: [&str; 11] = [
    "trigger",
    "constraint",
    "event",
    "rule",
    "policy",
    "view",
    "recursive",
    "operator",
    "cast",
    "domain",
    "type",
];

/// A body, understood as far as the session is concerned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Code {
    pub(crate) effects: Effects,
    pub(crate) mentions: Mentions,
}

impl Code {
    pub(crate) fn read(body: &[u8]) -> Code {
        let mut code = Code::default();
        code.read_text(body, DEPTH_MAX);
        code
    }

    fn read_text(&mut self, text: &[u8], depth: usize) {
        match (lex::tokens(text), depth) {
            (Ok(tokens), 1..) => self.read_tokens(text, &tokens, depth),
            (Ok(_), 0) => self.leave(PinReason::UnreadCode),
            (Err(_), _) => self.add(other_language::read(text)),
        }
    }

    fn read_tokens(&mut self, sql: &[u8], tokens: &[Token], depth: usize) {
        let mentions = Mentions::of(sql, tokens);
        self.effects.probes_settings |= mentions.changes_settings();
        self.mentions.add(mentions);
        for n in 0..tokens.len() {
            let rest = &tokens[n..];
            if starts_statement(sql, &tokens[..n]) {
                self.read_statement(sql, rest, depth);
            }
            self.read_call(sql, &tokens[..n], rest);
            let is_pinned = self.effects.pin.is_some();
            if !is_pinned && makes_temporary(sql, rest) && !ends_with_transaction(sql, rest) {
                self.leave(PinReason::TemporaryTable);
            }
            if sees(sql, rest, &["with", "hold"]) {
                self.leave(PinReason::HeldCursor);
            }
            if rest[0].is_word(sql, "execute") && is_dynamic(sql, &tokens[..n], &rest[1..]) {
                self.read_computed(sql, &rest[1..], depth);
            }
        }
    }

    /// Commands that can only be told from other words where a statement starts.
    fn read_statement(&mut self, sql: &[u8], tokens: &[Token], depth: usize) {
        let Some((first, rest)) = tokens.split_first() else { return };
        let is_assigned = rest.first().is_some_and(|next| {
            next.kind == Kind::ColonEquals || next.is_operator(sql, "=") || next.kind == Kind::Dot
        });
        if is_assigned {
            return;
        }
        if first.is_word(sql, "set") {
            self.read_set(sql, rest);
        } else if first.is_word(sql, "reset") {
            self.read_setting(sql, rest);
        } else if first.is_word(sql, "do") {
            self.read_do(sql, rest, depth);
        } else if first.is_word(sql, "listen") {
            self.leave(PinReason::Listen);
        } else if first.is_word(sql, "load") {
            self.leave(PinReason::LoadedLibrary);
        } else if first.is_word(sql, "prepare") || first.is_word(sql, "deallocate") {
            self.leave(PinReason::PreparedStatement);
        } else {
            self.read_definition(Makes::of(sql, tokens));
        }
    }

    fn read_definition(&mut self, makes: Makes) {
        self.effects.redefines |= makes != Makes::NoCode;
        if makes == Makes::Function {
            self.leave(PinReason::NewCode);
        }
    }

    fn read_do(&mut self, sql: &[u8], rest: &[Token], depth: usize) {
        let statement = rest.split(|token| token.kind == Kind::Semicolon).next();
        for body in statement.unwrap_or_default().iter().filter_map(|token| token.string_value(sql))
        {
            if *body == *UNKNOWN.as_bytes() {
                self.leave(PinReason::UnreadCode);
            } else {
                self.read_text(&body, depth - 1);
            }
        }
    }

    fn read_set(&mut self, sql: &[u8], rest: &[Token]) {
        let Some(first) = rest.first() else { return };
        if first.is_word(sql, "constraints") || first.is_word(sql, "transaction") {
            return;
        }
        if first.is_word(sql, "local") {
            self.read_local_setting(sql, &rest[1..]);
        } else if first.is_word(sql, "session") && !sees(sql, rest, &["session", "authorization"]) {
            self.read_setting(sql, &rest[1..]);
        } else {
            self.read_setting(sql, rest);
        }
    }

    fn read_local_setting(&mut self, sql: &[u8], rest: &[Token]) {
        self.effects.probes_settings |=
            rest.first().is_some_and(|name| matters_locally(*name, sql));
        let word = |at: usize| rest.get(at).and_then(|token| token.identifier(sql));
        let has_dot = rest.get(1).is_some_and(|next| next.kind == Kind::Dot);
        match (word(0), word(2)) {
            (Some(prefix), Some(name)) if has_dot => {
                self.set_locally(format!("{prefix}.{name}").to_ascii_lowercase());
            }
            (Some(name), _) => self.set_locally(name.to_ascii_lowercase()),
            (None, _) => self.leave(PinReason::CustomSetting),
        }
    }

    fn set_locally(&mut self, name: String) {
        self.effects.probes_settings |= name == "search_path" || name == "role";
        self.effects.local_settings.insert(name);
    }

    /// `name …`, `prefix.name …`, `ROLE …` or `SESSION AUTHORIZATION …`
    fn read_setting(&mut self, sql: &[u8], rest: &[Token]) {
        self.effects.probes_settings = true;
        let name = rest.first().and_then(|token| token.identifier(sql));
        let Some(name) = name.map(|name| name.to_ascii_lowercase()) else {
            return self.leave(PinReason::CustomSetting);
        };
        if name == UNKNOWN {
            return self.leave(PinReason::CustomSetting);
        }
        let is_identity = IDENTITIES.contains(&name.as_str());
        if is_identity || sees(sql, rest, &["session", "authorization"]) {
            self.leave(PinReason::Role);
        } else if rest.get(1).is_some_and(|next| next.kind == Kind::Dot) {
            match rest.get(2).and_then(|token| token.identifier(sql)) {
                Some(last) if last != UNKNOWN => {
                    let name = format!("{name}.{}", last.to_ascii_lowercase());
                    self.effects.custom_settings.insert(name);
                }
                _ => self.leave(PinReason::CustomSetting),
            }
        }
    }

    fn read_call(&mut self, sql: &[u8], before: &[Token], tokens: &[Token]) {
        let [name, paren, arguments @ ..] = tokens else { return };
        let Some(name) = name.identifier(sql).filter(|_| paren.kind == Kind::LeftParen) else {
            return;
        };
        match name.as_ref() {
            "set_config" => self.read_set_config(sql, arguments),
            "currval" | "lastval" => self.effects.uses_sequences = true,
            name if SESSION_LOCKS.contains(&name) => self.leave(PinReason::AdvisoryLock),
            UNKNOWN if !names_relation(sql, before) => self.leave(PinReason::UnreadCode),
            _ => {}
        }
    }

    fn read_set_config(&mut self, sql: &[u8], arguments: &[Token]) {
        let name = name_of(sql, arguments, &NoParameters)
            .filter(|name| name != UNKNOWN)
            .map(|name| name.to_ascii_lowercase());
        if is_local(sql, arguments) {
            match name {
                Some(name) => self.set_locally(name),
                None => self.leave(PinReason::CustomSetting),
            }
            return;
        }
        self.effects.probes_settings = true;
        match name {
            None => self.leave(PinReason::CustomSetting),
            Some(name) if IDENTITIES.contains(&name.as_str()) => self.leave(PinReason::Role),
            Some(name) if name.contains('.') => {
                self.effects.custom_settings.insert(name);
            }
            Some(_) => {}
        }
    }

    fn read_computed(&mut self, sql: &[u8], expression: &[Token], depth: usize) {
        if self.effects.pin == Some(PinReason::UnreadCode) {
            return;
        }
        match computed::text_of(sql, expression) {
            Some(Computed { text, computes_names }) => {
                self.mentions.computes_names |= computes_names;
                self.read_text(&text, depth - 1);
            }
            None => self.leave(PinReason::UnreadCode),
        }
    }

    fn leave(&mut self, reason: PinReason) {
        self.effects.probes_settings |= reason == PinReason::UnreadCode;
        self.effects.pin.get_or_insert(reason);
    }

    fn add(&mut self, other: Code) {
        self.effects = std::mem::take(&mut self.effects).and(other.effects);
        self.mentions.add(other.mentions);
    }
}

/// What a definition does about code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Makes {
    /// A function, or many of them.
    Function,
    /// What calls a function that is there.
    Caller,
    /// Data, or nothing new at all.
    NoCode,
}

impl Makes {
    pub(crate) fn of(sql: &[u8], tokens: &[Token]) -> Makes {
        let [verb, rest @ ..] = tokens else { return Makes::NoCode };
        if !verb.is_word(sql, "create") && !verb.is_word(sql, "alter") {
            return Makes::NoCode;
        }
        let skipped = ["or", "replace", "temp", "temporary", "trusted", "procedural"];
        let is_skipped = |token: &&Token| skipped.iter().any(|word| token.is_word(sql, word));
        let Some(kind) = rest.iter().find(|token| !is_skipped(token)) else {
            return Makes::NoCode;
        };
        let is_in = |kinds: &[&str]| kinds.iter().any(|word| kind.is_word(sql, word));
        match () {
            () if is_in(&FUNCTIONS) => Makes::Function,
            () if is_in(&CALLERS) => Makes::Caller,
            () => Makes::NoCode,
        }
    }
}

fn starts_statement(sql: &[u8], before: &[Token]) -> bool {
    before.last().is_none_or(|last| {
        last.kind == Kind::Semicolon
            || BEFORE_STATEMENTS.iter().any(|word| last.is_word(sql, word))
            || last.is_operator(sql, ">>")
    })
}

/// Whether the name after `before` is that of a relation, which a list of columns may follow.
fn names_relation(sql: &[u8], before: &[Token]) -> bool {
    let schema = match before {
        [.., _, dot] if dot.kind == Kind::Dot => 2,
        _ => 0,
    };
    let words = ["into", "table", "exists", "on", "references", "only", "copy"];
    let last = before[..before.len() - schema].last();
    last.is_some_and(|last| words.iter().any(|word| last.is_word(sql, word)))
}

fn sees(sql: &[u8], tokens: &[Token], words: &[&str]) -> bool {
    tokens.len() >= words.len()
        && words.iter().zip(tokens).all(|(word, token)| token.is_word(sql, word))
}

/// SET LOCAL of what Herd itself reads.
fn matters_locally(name: Token, sql: &[u8]) -> bool {
    ["search_path", "role", "session"].iter().any(|word| name.is_word(sql, word))
        || name.kind != Kind::Word
}

/// `CREATE … TEMP`, or a name in `pg_temp`.
fn makes_temporary(sql: &[u8], tokens: &[Token]) -> bool {
    let is = |n: usize, words: &[&str]| {
        tokens.get(n).is_some_and(|token| words.iter().any(|word| token.is_word(sql, word)))
    };
    if tokens[0].identifier(sql).is_some_and(|name| name == "pg_temp") {
        return tokens.get(1).is_some_and(|next| next.kind == Kind::Dot);
    }
    let mut n = match () {
        () if is(0, &["into"]) => 1,
        () if is(0, &["create"]) && is(1, &["or"]) => 3,
        () if is(0, &["create"]) => 1,
        () => return false,
    };
    n += usize::from(is(n, &["local", "global"]));
    is(n, &["temp", "temporary"])
}

/// `… ON COMMIT DROP`, within the same statement.
fn ends_with_transaction(sql: &[u8], tokens: &[Token]) -> bool {
    let tokens = &tokens[..tokens.len().min(TOKENS_AHEAD_MAX)];
    let end = tokens.iter().position(|token| token.kind == Kind::Semicolon);
    let statement = &tokens[..end.unwrap_or(tokens.len())];
    (0..statement.len()).any(|n| sees(sql, &statement[n..], &["on", "commit", "drop"]))
}

/// Whether EXECUTE runs a text, and is not part of a definition.
fn is_dynamic(sql: &[u8], before: &[Token], after: &[Token]) -> bool {
    let is = |token: Option<&Token>, words: &[&str]| {
        token.is_some_and(|token| words.iter().any(|word| token.is_word(sql, word)))
    };
    let in_list = |token: &Token| token.kind == Kind::Comma;
    !is(after.first(), &["function", "procedure", "on"])
        && !is(before.last(), &["grant", "revoke"])
        && !before.last().is_some_and(in_list)
}

#[cfg(test)]
mod tests;

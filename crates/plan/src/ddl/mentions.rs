//! Which logical tables a text names, by its tokens alone.
//!
//! It errs towards naming: a word in a place where PostgreSQL would look for a relation counts,
//! even if there it is something else.

use std::collections::BTreeSet;

use crate::lex::{self, Kind, Token};

/// After these a relation's name may follow.
const BEFORE_RELATION: [&str; 10] =
    ["from", "join", "into", "update", "table", "only", "using", "references", "truncate", "copy"];

/// These end a list of relations.
const AFTER_RELATIONS: [&str; 16] = [
    "where",
    "group",
    "having",
    "order",
    "window",
    "limit",
    "offset",
    "fetch",
    "for",
    "select",
    "set",
    "values",
    "returning",
    "union",
    "intersect",
    "except",
];

/// Words of a function's body that change rows.
const CHANGES_ROWS: [&str; 7] =
    ["insert", "update", "delete", "merge", "truncate", "copy", "execute"];

/// How deep strings within strings are read: code that is executed may execute code.
const STRING_DEPTH_MAX: usize = 4;

/// Tells which unqualified names are looked for.
pub type IsKnown<'k> = &'k dyn Fn(&str) -> bool;

/// Those names that a query among `tokens` may read or write.
pub fn in_query(sql: &[u8], tokens: &[Token], is_known: IsKnown<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    // For each open parenthesis, whether a comma is followed by a relation.
    let mut lists = vec![false];
    let mut expects = false;
    for (n, &token) in tokens.iter().enumerate() {
        let in_list = lists.last_mut();
        match token.kind {
            Kind::LeftParen => lists.push(expects),
            Kind::RightParen => {
                lists.pop();
                expects = false;
            }
            Kind::Comma => expects = in_list.is_some_and(|in_list| *in_list),
            Kind::Dot => {}
            Kind::Word if is_any(sql, token, &BEFORE_RELATION) => {
                expects = true;
                if let Some(in_list) = in_list {
                    *in_list = true;
                }
            }
            Kind::Word if is_any(sql, token, &AFTER_RELATIONS) => {
                expects = false;
                if let Some(in_list) = in_list {
                    *in_list = false;
                }
            }
            kind if kind.is_identifier() && expects => {
                found.extend(known_name(sql, token, is_known));
                // The schema was only the beginning of the name.
                expects = tokens.get(n + 1).is_some_and(|next| next.kind == Kind::Dot);
            }
            _ => expects = false,
        }
    }
    found
}

/// Those names that stand in a function's body where a relation would, or make up a whole string:
/// strings may be executed, and other languages write their queries into them.
pub fn in_body(body: &str, is_known: IsKnown<'_>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    read_body(body, is_known, STRING_DEPTH_MAX, &mut found);
    found
}

fn read_body(body: &str, is_known: IsKnown<'_>, depth: usize, found: &mut BTreeSet<String>) {
    let sql = body.as_bytes();
    let (Ok(tokens), true) = (lex::tokens(sql), depth > 0) else {
        // It is not known what it says: each word counts.
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let words = body.split(|c: char| !is_word(c)).map(str::to_ascii_lowercase);
        found.extend(words.filter(|word| is_known(word)));
        return;
    };
    found.extend(in_query(sql, &tokens, is_known));
    for token in tokens {
        let text = match token.kind {
            kind if kind.is_string() => token.string_value(sql).map(|value| value.into_owned()),
            // A string in other languages.
            Kind::QuotedWord => Some(token.text(sql)[1..token.text(sql).len() - 1].to_vec()),
            _ => None,
        };
        let Some(text) = text.and_then(|text| String::from_utf8(text).ok()) else {
            continue;
        };
        let name = text.trim();
        if let Some(name) =
            [name.to_owned(), name.to_ascii_lowercase()].into_iter().find(|name| is_known(name))
        {
            found.insert(name);
        } else if name.contains(char::is_whitespace) {
            read_body(&text, is_known, depth - 1, found);
        }
    }
}

/// Whether a function's body may change rows.
pub fn changes_rows(body: &str) -> bool {
    let body = body.to_ascii_lowercase();
    let mut words = body.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.any(|word| CHANGES_ROWS.contains(&word))
}

fn known_name(sql: &[u8], token: Token, is_known: IsKnown<'_>) -> Option<String> {
    let name = token.identifier(sql).filter(|name| is_known(name))?;
    Some(name.into_owned())
}

fn is_any(sql: &[u8], token: Token, words: &[&str]) -> bool {
    words.iter().any(|word| token.is_word(sql, word))
}

//! Which logical tables a text names, by its tokens alone.
//!
//! It errs towards naming: a word in a place where PostgreSQL would look for a relation counts,
//! even if there it is something else.

use std::collections::BTreeSet;

use herd_catalog::Catalog;

use crate::lex::{self, Kind, Token};

/// After these a relation's name may follow.
const BEFORE_RELATION: [&str; 8] =
    ["from", "join", "into", "update", "table", "only", "using", "references"];

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

/// The bare names of logical tables and fragments that a query among `tokens` may read or write.
pub fn in_query(sql: &[u8], tokens: &[Token], catalog: &Catalog) -> BTreeSet<String> {
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
                note(sql, token, catalog, &mut found);
                // The schema was only the beginning of the name.
                expects = tokens.get(n + 1).is_some_and(|next| next.kind == Kind::Dot);
            }
            _ => expects = false,
        }
    }
    found
}

/// The bare names of logical tables and fragments that stand anywhere in a function's body, also
/// within strings: they may be executed.
pub fn in_body(body: &str, catalog: &Catalog) -> BTreeSet<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let words = body.split(|c: char| !is_word(c)).filter(|word| !word.is_empty());
    let folded = words.clone().map(str::to_ascii_lowercase);
    folded
        .chain(words.map(str::to_owned))
        .chain(quoted_words(body))
        .filter(|word| catalog.knows_name(word))
        .collect()
}

/// Whether a function's body may change rows.
pub fn changes_rows(body: &str) -> bool {
    let body = body.to_ascii_lowercase();
    let mut words = body.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    words.any(|word| CHANGES_ROWS.contains(&word))
}

/// Names in double quotes may contain anything.
fn quoted_words(body: &str) -> Vec<String> {
    let tokens = lex::tokens(body.as_bytes()).unwrap_or_default();
    let quoted = tokens.into_iter().filter(|token| token.kind.is_identifier());
    quoted.filter_map(|token| Some(token.identifier(body.as_bytes())?.into_owned())).collect()
}

fn note(sql: &[u8], token: Token, catalog: &Catalog, found: &mut BTreeSet<String>) {
    if let Some(name) = token.identifier(sql).filter(|name| catalog.knows_name(name)) {
        found.insert(name.into_owned());
    }
}

fn is_any(sql: &[u8], token: Token, words: &[&str]) -> bool {
    words.iter().any(|word| token.is_word(sql, word))
}

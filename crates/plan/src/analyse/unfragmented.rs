//! Statements that name no table of the herd, by their tokens alone: home's, unless any node can
//! answer.

use std::borrow::Cow;

use herd_types::ClientError;

use super::call::{Kind as Called, kind};
use crate::lex::{Kind, Token};
use crate::{Context, Inline, Relation, Target};

/// Words of an expression that needs no table.
const PLAIN_WORDS: &[&str] = &[
    "and",
    "as",
    "asc",
    "between",
    "bigint",
    "bool",
    "boolean",
    "by",
    "bytea",
    "case",
    "cast",
    "current_catalog",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "date",
    "decimal",
    "desc",
    "distinct",
    "else",
    "end",
    "escape",
    "false",
    "float8",
    "ilike",
    "in",
    "int",
    "int2",
    "int4",
    "int8",
    "integer",
    "interval",
    "is",
    "json",
    "jsonb",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "not",
    "null",
    "numeric",
    "or",
    "order",
    "real",
    "select",
    "session_user",
    "smallint",
    "text",
    "then",
    "time",
    "timestamp",
    "timestamptz",
    "true",
    "user",
    "uuid",
    "values",
    "varchar",
    "when",
    "zone",
    "at",
];

pub(super) fn target(
    sql: &[u8],
    tokens: &[Token],
    context: &Context<'_>,
) -> Result<(Target, Vec<Cow<'static, str>>), ClientError> {
    let has_fragments = context.catalog.has_tables() && context.catalog.data_nodes().count() > 1;
    if has_fragments && let Some(name) = runs_text(sql, tokens) {
        let message = format!("function {name} cannot be used while tables lie on several nodes");
        return Err(ClientError::unsupported(message)
            .with_detail("It runs SQL that Herd does not see, on one node."));
    }
    Ok(if is_neutral(sql, tokens) {
        (Target::Neutral, vec!["any node gives the same answer".into()])
    } else {
        (Target::Home, vec!["names no fragmented or reference table".into()])
    })
}

/// A function that runs SQL given as text.
fn runs_text<'a>(sql: &'a [u8], tokens: &[Token]) -> Option<Cow<'a, str>> {
    let calls = tokens.windows(2).filter(|pair| pair[1].kind == Kind::LeftParen);
    let mut names = calls.filter_map(|pair| pair[0].identifier(sql));
    names.find(|name| kind(name) == Called::RunsText)
}

/// Whether nothing in a statement looks at any table, setting of a node or state.
fn is_neutral(sql: &[u8], tokens: &[Token]) -> bool {
    let starts_well = tokens
        .iter()
        .find(|token| token.kind != Kind::LeftParen)
        .is_some_and(|token| token.is_word(sql, "select") || token.is_word(sql, "values"));
    starts_well && (0..tokens.len()).all(|at| is_neutral_token(sql, tokens, at))
}

fn is_neutral_token(sql: &[u8], tokens: &[Token], at: usize) -> bool {
    let token = tokens[at];
    let before = at.checked_sub(1).map(|before| tokens[before]);
    let is_called = tokens.get(at + 1).is_some_and(|next| next.kind == Kind::LeftParen);
    // A label means nothing.
    if before.is_some_and(|before| before.is_word(sql, "as")) && !is_called {
        return token.kind.is_identifier();
    }
    match token.kind {
        Kind::Word => {
            let Some(name) = token.identifier(sql) else { return false };
            let is_plain = PLAIN_WORDS.contains(&&*name);
            is_plain || is_called && kind(&name) == Called::Neutral
        }
        Kind::QuotedWord | Kind::UnicodeWord | Kind::Dot => false,
        _ => true,
    }
}

/// Relations of schema `herd` that a statement reads.
pub(super) fn inlined(sql: &[u8], tokens: &[Token]) -> Vec<Inline> {
    let mut found = Vec::new();
    for (at, window) in tokens.windows(3).enumerate() {
        let [schema, dot, name] = window else { continue };
        let is_qualified = at > 0 && tokens[at - 1].kind == Kind::Dot;
        // `herd.nodes.name` is a column, `herd.nodes(…)` a function.
        let next = tokens.get(at + 3).map(|token| token.kind);
        let is_relation = !is_qualified
            && dot.kind == Kind::Dot
            && !matches!(next, Some(Kind::Dot | Kind::LeftParen))
            && schema.identifier(sql).is_some_and(|schema| schema == "herd");
        let relation = name.identifier(sql).and_then(|name| Relation::by_name(&name));
        if let Some(relation) = relation.filter(|_| is_relation) {
            found.push(Inline { span: schema.start as usize..name.end as usize, relation });
        }
    }
    found
}

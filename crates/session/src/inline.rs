//! Relations of schema `herd` inside a statement: their rows are put in the place of their name,
//! so that all of SQL works on them.

use herd_plan::Inline;
use herd_plan::lex::{self, Kind};

use crate::gateway::Gateway;
use crate::show::{self, Asker, Rows};

/// Words that may follow a table reference that has no alias.
const NO_ALIAS: [&str; 26] = [
    "where",
    "join",
    "inner",
    "left",
    "right",
    "full",
    "cross",
    "natural",
    "on",
    "using",
    "order",
    "group",
    "having",
    "limit",
    "offset",
    "fetch",
    "for",
    "union",
    "intersect",
    "except",
    "window",
    "returning",
    "set",
    "tablesample",
    "when",
    "values",
];

/// The text with each relation replaced by its rows of this moment.
pub(crate) fn splice(sql: &[u8], inlines: &[Inline], gateway: &Gateway, asker: &Asker) -> Vec<u8> {
    let mut spliced = Vec::with_capacity(sql.len() + 1024);
    let mut at = 0;
    for inline in inlines {
        let rows = show::rows(inline.relation, gateway, asker);
        spliced.extend_from_slice(&sql[at..inline.span.start]);
        append_rows(&mut spliced, &rows);
        if !has_alias(&sql[inline.span.end..]) {
            spliced.extend_from_slice(format!(" AS {}", rows.name).as_bytes());
        }
        at = inline.span.end;
    }
    spliced.extend_from_slice(&sql[at..]);
    spliced
}

fn append_rows(sql: &mut Vec<u8>, rows: &Rows) {
    sql.extend_from_slice(b"(SELECT * FROM ROWS FROM (");
    for (index, column) in rows.columns.iter().enumerate() {
        sql.extend_from_slice(if index == 0 {
            b"pg_catalog.unnest(ARRAY["
        } else {
            b",pg_catalog.unnest(ARRAY["
        });
        for (at, row) in rows.rows.iter().enumerate() {
            if at > 0 {
                sql.push(b',');
            }
            append_value(sql, row[index].as_deref());
        }
        sql.extend_from_slice(format!("]::pg_catalog.{}[])", column.kind.sql()).as_bytes());
    }
    let names: Vec<_> = rows.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
    sql.extend_from_slice(format!(") AS herd_rows({}))", names.join(",")).as_bytes());
}

fn append_value(sql: &mut Vec<u8>, value: Option<&str>) {
    let Some(value) = value else {
        sql.extend_from_slice(b"NULL");
        return;
    };
    sql.extend_from_slice(b" E'");
    for &byte in value.as_bytes() {
        if byte == b'\'' || byte == b'\\' {
            sql.push(byte);
        }
        sql.push(byte);
    }
    sql.push(b'\'');
}

fn has_alias(rest: &[u8]) -> bool {
    let Ok(tokens) = lex::tokens(rest) else { return false };
    let Some(next) = tokens.first() else { return false };
    match next.kind {
        Kind::QuotedWord | Kind::UnicodeWord => true,
        Kind::Word => !NO_ALIAS.iter().any(|word| next.is_word(rest, word)),
        _ => false,
    }
}

//! TRUNCATE of any tables at once, on every node that has them, all or nothing.

use std::ops::Range;

use super::Planned;
use super::definition::{Publish, Script};
use super::request::{Named, Request};
use super::splice::Splice;
use crate::cursor::{Cursor, Name};
use crate::lex::Kind;

pub fn plan(request: &Request<'_>, mut cursor: Cursor<'_>) -> Planned {
    cursor.word("table");
    let list = cursor.offset();
    let Some(items) = read_items(&mut cursor) else {
        return request.at_home();
    };
    let end = items.last().map_or(list, |item| item.span.end);
    let names = items.iter().map(|item| item.name.clone()).collect::<Vec<_>>();
    request.ask_known(&names)?;
    let named =
        names.iter().map(|name| request.table_named(name)).collect::<Result<Vec<_>, _>>()?;
    if named.iter().all(|named| matches!(named, Named::Nothing | Named::Home)) {
        return request.at_home();
    }
    let mut script = Script::default();
    for node in request.all_nodes()? {
        let mine = items.iter().zip(&named).filter(|(_, named)| request.is_on(named, node));
        let mine = mine.map(|(item, named)| item.text(request, named)).collect::<Vec<_>>();
        if !mine.is_empty() {
            let mut splice = Splice::new(request.sql);
            splice.replace(list..end, mine.join(", "));
            script.on(node, splice.render(request.span()));
        }
    }
    let what = names.iter().map(|name| name.name.as_ref()).collect::<Vec<_>>().join(", ");
    Ok(request.define("TRUNCATE TABLE", &what, script, Publish::default()))
}

/// `[ONLY] name [*]`
struct Item<'a> {
    name: Name<'a>,
    span: Range<usize>,
}

impl Item<'_> {
    /// ONLY a partitioned table cannot be truncated, and a logical table looks like a plain one.
    fn text<'s>(&self, request: &Request<'s>, named: &Named) -> &'s str {
        match named {
            Named::Table(_) => &request.sql[self.name.span.clone()],
            _ => &request.sql[self.span.clone()],
        }
    }
}

fn read_items<'a>(cursor: &mut Cursor<'a>) -> Option<Vec<Item<'a>>> {
    let mut items = Vec::new();
    loop {
        let start = cursor.offset();
        cursor.word("only");
        let parenthesis = cursor.kind(Kind::LeftParen).is_some();
        let name = cursor.name()?;
        let mut end = name.span.end;
        if parenthesis {
            end = cursor.kind(Kind::RightParen)?.end as usize;
        }
        if let Some(star) = cursor.peek().filter(|star| star.is_operator(cursor.sql(), "*")) {
            end = star.end as usize;
            cursor.advance();
        }
        items.push(Item { name, span: start..end });
        if cursor.kind(Kind::Comma).is_none() {
            return Some(items);
        }
    }
}

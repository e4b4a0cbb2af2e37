//! Roles: the same on every node, with the same password verifier.

use std::ops::Range;

use super::definition::{Missing, Publish, Script, Statement};
use super::objects::name_of;
use super::request::Request;
use super::{Outcome, Planned};
use crate::cursor::Cursor;

pub fn plan(request: &Request<'_>, cursor: Cursor<'_>, tag: &str) -> Planned {
    if request.is_alone()? {
        return Ok(Outcome::Home);
    }
    let start = request.span().start;
    let password = password_literal(cursor).map(|span| span.start - start..span.end - start);
    let statement = Statement { password, ..Statement::from(request.text()) };
    let creates = tag.starts_with("CREATE");
    let missing = if creates { Missing::Fails } else { Missing::Skips };
    let mut script = Script::default();
    script.on(request.home(), statement.clone());
    script.on_each(&request.other_nodes()?, Statement { missing, ..statement });
    Ok(request.define(tag, &name_of(cursor), script, Publish::default()))
}

/// The literal after PASSWORD; a server would salt it differently on every node.
fn password_literal(mut cursor: Cursor<'_>) -> Option<Range<usize>> {
    // The role's own name may be "password".
    cursor.name();
    while cursor.peek().is_some() {
        if cursor.word("password")
            && let Some(token) = cursor.peek().filter(|token| token.kind.is_string())
        {
            return Some(token.span());
        }
        cursor.advance();
    }
    None
}

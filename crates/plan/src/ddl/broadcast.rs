//! Statements about what every node has alike: types, operators, extensions, privileges by
//! default.
//!
//! Objects older than the herd may be on the home node alone. Where a node never had what a
//! statement changes, the statement has nothing to do there; what it creates is created wherever
//! its schema is.

use super::definition::{Missing, Observe, Publish, Script, Statement};
use super::objects::name_of;
use super::request::Request;
use super::{Outcome, Planned};
use crate::cursor::Cursor;

pub fn plan_create(request: &Request<'_>, cursor: Cursor<'_>, tag: &str) -> Planned {
    plan(request, tag, &name_of(cursor), Missing::SchemaSkips, Observe::None)
}

/// What uses a type or an extension may change with it.
pub fn plan_alter(request: &Request<'_>, tag: &str, what: &str) -> Planned {
    let changes_tables = tag.ends_with("TYPE") || tag.ends_with("DOMAIN");
    let observe = if changes_tables { Observe::All } else { Observe::None };
    plan(request, tag, what, Missing::Skips, observe)
}

/// DROP OWNED and REASSIGN OWNED.
pub fn plan_owned(request: &Request<'_>, tag: &str) -> Planned {
    plan(request, tag, "", Missing::Fails, Observe::All)
}

/// The statement as it is on every node; on home everything it names must be there.
pub fn plan(
    request: &Request<'_>,
    tag: &str,
    what: &str,
    missing: Missing,
    observe: Observe,
) -> Planned {
    let statement = Statement { missing, ..Statement::from(request.text()) };
    plan_with(request, tag, what, statement, observe)
}

/// As [`plan`], with another text for the nodes that are not home.
pub fn plan_with(
    request: &Request<'_>,
    tag: &str,
    what: &str,
    elsewhere: Statement,
    observe: Observe,
) -> Planned {
    let has_tables = request.catalog.has_tables();
    let observes = has_tables && observe != Observe::None;
    if request.is_alone()? && !observes {
        return Ok(Outcome::Home);
    }
    let mut script = Script::default();
    script.on(request.home(), request.text());
    script.on_each(&request.other_nodes()?, elsewhere);
    let observe = if observes { observe } else { Observe::None };
    let publish = Publish { observe, shadows: observes, ..Publish::default() };
    Ok(request.define(tag, what, script, publish))
}

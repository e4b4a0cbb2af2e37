//! CREATE TABLE of a table that the home node has for itself.

use crate::ddl::attached::refuse_fragmented;
use crate::ddl::clauses::{Body, CreateTable};
use crate::ddl::elements::{Constraint, ConstraintKind, Element};
use crate::ddl::request::{Named, Request};
use crate::ddl::view::{plan_named, refuse_mention};
use crate::ddl::{Planned, Stop, foreign_key};

pub fn plan(request: &Request<'_>, create: &CreateTable<'_>, is_temporary: bool) -> Planned {
    if let Body::Query(tokens) = &create.body {
        let mentioned = request.mentioned(tokens);
        refuse_fragmented(request, "CREATE TABLE AS", &mentioned)?;
    }
    for constraint in constraints(create) {
        if let ConstraintKind::ForeignKey(key) = &constraint.kind {
            foreign_key::check_of_home(request, key)?;
        }
    }
    check_parents(request, create)?;
    plan_named(request, &create.name, super::TAG, is_temporary)
}

/// All constraints of columns and of the table.
pub fn constraints<'a, 'c>(
    create: &'c CreateTable<'a>,
) -> impl Iterator<Item = &'c Constraint<'a>> {
    create.elements().iter().flat_map(|(_, element)| match element {
        Element::Column(column) => column.constraints.as_slice(),
        Element::Constraint(constraint) => std::slice::from_ref(constraint),
        Element::Like(_) | Element::Unknown => &[],
    })
}

/// A child on the home node would add its rows to a table that is elsewhere as well.
fn check_parents(request: &Request<'_>, create: &CreateTable<'_>) -> Result<(), Stop> {
    for parent in create.inherits.iter().flatten() {
        if !matches!(request.table_named(parent)?, Named::Nothing | Named::Home) {
            return Err(refuse_mention("INHERITS", &parent.name).into());
        }
    }
    Ok(())
}

//! CREATE TABLE of a reference table: the same on every node.

use herd_catalog::{Change, Column, KindSpec, TableSpec};

use super::cut;
use super::home::constraints;
use crate::ddl::clauses::CreateTable;
use crate::ddl::definition::{Observe, Publish, Script};
use crate::ddl::elements::{ConstraintKind, Element};
use crate::ddl::foreign_key::{self, Referring};
use crate::ddl::request::Request;
use crate::ddl::splice::Splice;
use crate::ddl::{Planned, function, serial};

pub fn plan(request: &Request<'_>, create: &CreateTable<'_>) -> Planned {
    let name = request.creation_name(&create.name)?;
    if !super::check_new(request, create, &name)? {
        return request.at_home();
    }
    if create.inherits.is_some() {
        return Err(super::invalid(
            "a reference table cannot inherit from another",
            "Write the columns out, or use LIKE with a table that is on every node.",
        )
        .into());
    }
    for (_, element) in create.elements() {
        if let Element::Column(column) = element
            && serial::calls_nextval(request.sql.as_bytes(), column)
        {
            return Err(serial::refuse_nextval(&column.name).into());
        }
    }
    function::check_existing(request, &name.name, true)?;
    let from =
        Referring { name: &name, cut: None, key: &[], primary_key: cut::primary_key(create) };
    for constraint in constraints(create) {
        if let ConstraintKind::ForeignKey(key) = &constraint.kind {
            foreign_key::decide(request, &from, key)?;
        }
    }
    let columns = cut::columns(request, create)?.into_iter().map(|known| Column {
        name: known.name,
        type_name: known.type_name.unwrap_or_default(),
        generated: known.is_generated,
        has_default: known.has_default,
    });
    let spec =
        TableSpec { name: name.clone(), columns: columns.collect(), kind: KindSpec::Reference };
    let next = request.foresee(&[Change::AddTable(spec.clone())])?;
    let table = next.table_named(&name).expect("a table that was added has its name");

    let mut splice = Splice::new(request.sql);
    if let Some(with) = &create.with {
        splice.replace(with.span.clone(), with.others_clause(request.sql).trim_start());
    }
    let mut script = Script::default();
    script.on_each(&request.all_nodes()?, splice.render(request.span()).trim_end());
    let publish = Publish {
        changes: vec![Change::AddTable(spec)],
        observe: Observe::Tables(vec![table.id]),
        shadows: true,
    };
    Ok(request.define(super::TAG, &name.to_string(), script, publish))
}

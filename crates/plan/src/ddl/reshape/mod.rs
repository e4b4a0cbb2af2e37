//! `herd.fragment_table`, `herd.unfragment_table` and `herd.reference_table`: how an existing table
//! lies on the nodes is changed while it is in use.
//!
//! A twin of the table is made where its rows are to be, under a name of Herd's own, and filled.
//! Meanwhile triggers note the keys of whatever changes. When the twin has caught up, the table is
//! locked for a moment, the last changes are brought over, and the twin takes the table's name on
//! all nodes and in the catalog (docs/decisions/0012).

mod call;
mod changes;
mod describe;
mod fragment;
mod names;
mod reference;
mod shape;
mod steps;
mod twin;
mod unfragment;

use std::sync::Arc;

use herd_catalog::{Table, TableName};
use herd_types::{ClientError, SqlState};

use self::call::{Call, Function};
use self::shape::Shape;
use self::steps::Described;
use super::definition::{Definition, Procedure};
use super::facts::RelationKind;
use super::request::{Named, Request};
use super::{Outcome, Planned, Stop};
use crate::lex::Token;

pub use self::call::Verb;
pub use self::steps::{Copying, Described as DescribedTable, Numbers, Placing, Reshape, Swap};

/// The tag of an answer with one row.
pub const SELECT_TAG: &str = "SELECT 1";
const CALL_TAG: &str = "CALL";

/// The name of the function that all of `tokens` call, if it is one of these and by SELECT.
pub fn selected(sql: &[u8], tokens: &[Token]) -> Option<&'static str> {
    let (verb, function) = Call::function(sql, tokens)?;
    (verb == Verb::Select).then(|| function.name())
}

/// Whether all of `tokens` call one of these functions.
pub fn is_called(sql: &[u8], tokens: &[Token]) -> bool {
    Call::function(sql, tokens).is_some()
}

/// `None`: none of these functions is called.
pub fn plan(request: &Request<'_>) -> Option<Planned> {
    let call = Call::read(request.sql.as_bytes(), request.tokens);
    match call {
        Ok(None) => None,
        Ok(Some(call)) => Some(plan_call(request, &call)),
        Err(error) => Some(Err(error.into())),
    }
}

fn plan_call(request: &Request<'_>, call: &Call) -> Planned {
    let subject = Subject::find(request, call)?;
    let reshape = match (call.function, &subject.logical) {
        (Function::Fragment, None) => fragment::plan(request, call, &subject)?,
        (Function::Reference, None) => reference::plan(request, &subject)?,
        (Function::Unfragment, Some(table)) if table.fragmentation().is_some() => {
            unfragment::plan(request, &subject, table)?
        }
        (Function::Unfragment, Some(table)) => {
            return unfragment::plan_reference(request, call, table);
        }
        (Function::Unfragment, None) => return Err(is_home(&subject.name.name).into()),
        (_, Some(table)) => return Err(lies_otherwise(table).into()),
    };
    Ok(answer(call, &subject.name, Procedure::Reshape(Box::new(reshape))))
}

fn answer(call: &Call, table: &TableName, procedure: Procedure) -> Outcome {
    let tag = match call.verb {
        Verb::Select => SELECT_TAG,
        Verb::Call => CALL_TAG,
    };
    Outcome::Define(Box::new(Definition {
        tag: tag.to_owned(),
        summary: format!("{} {table}", call.function.name()),
        procedure,
        notices: Vec::new(),
    }))
}

/// The table that is spoken of.
struct Subject {
    function: &'static str,
    name: TableName,
    /// As the catalog has it; `None`: it is the home node's.
    logical: Option<Arc<Table>>,
    shape: Shape,
    described: Described,
}

impl Subject {
    fn find(request: &Request<'_>, call: &Call) -> Result<Subject, Stop> {
        let text = call.argument("table").unwrap_or_default();
        let (schema, name) = call::read_name(text)?;
        let found = request.facts.relation(schema.as_deref(), &name)?;
        let found = found.ok_or_else(|| no_table(text))?;
        let logical = match request.logical(&found.name) {
            Some(Named::Table(table)) => Some(table),
            Some(_) => return Err(is_fragment(&found.name).into()),
            None => None,
        };
        if found.kind != RelationKind::Table {
            return Err(not_a_table(&found.name.name).into());
        }
        let answer = request.facts.description(None, &found.name)?.clone();
        let shape = Shape::read(&answer).ok_or_else(|| no_table(text))?;
        let function = call.function.name();
        shape.check(&found.name.name, function)?;
        if shape.is_partitioned && logical.is_none() {
            let error = shape::refused(&found.name.name, function)
                .with_detail("It is partitioned, on the home node alone.")
                .with_hint("Make it an ordinary table first.");
            return Err(error.into());
        }
        let question = description_sql(&found.name);
        let described = Described { question, answer };
        Ok(Subject { function, name: found.name, logical, shape, described })
    }
}

/// The SQL that asks for all that there is to know of a table.
pub fn description_sql(table: &TableName) -> String {
    describe::sql(table)
}

fn no_table(name: &str) -> ClientError {
    ClientError::error(SqlState::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist"))
}

fn not_a_table(name: &str) -> ClientError {
    ClientError::error(SqlState::WRONG_OBJECT_TYPE, format!("\"{name}\" is not a table"))
}

fn is_fragment(name: &TableName) -> ClientError {
    let message = format!("\"{}\" is a fragment of another table", name.name);
    ClientError::error(SqlState::WRONG_OBJECT_TYPE, message)
}

fn is_home(name: &str) -> ClientError {
    let message = format!("\"{name}\" is neither fragmented nor a reference table");
    ClientError::error(SqlState::WRONG_OBJECT_TYPE, message)
}

fn lies_otherwise(table: &Table) -> ClientError {
    let name = &table.name.name;
    let kind = if table.fragmentation().is_some() { "fragmented" } else { "a reference table" };
    ClientError::error(SqlState::WRONG_OBJECT_TYPE, format!("\"{name}\" is {kind} already"))
        .with_hint(format!("SELECT herd.unfragment_table('{name}'); first."))
}

//! COPY: which node a stream goes to or comes from, or how its rows are to be spread.
//!
//! The grammar is read from tokens alone. A COPY of a home table goes to the home node unread;
//! `COPY (query)` goes where its query goes.

mod format;
mod interpret;
mod options;
mod statement;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use herd_catalog::{Fragmentation, Resolved, Table, TableKind, quote_identifier};
use herd_types::{ClientError, NodeId, SqlState};

pub use format::{
    CopyFormat, CopyGather, CopyIn, CsvFormat, Envelope, OnError, Spread, TextFormat,
};
use interpret::Interpreted;
use statement::{Age, CopyStatement, Direction, Head, Peer, Source};

use crate::cursor::{Cursor, Name};
use crate::lex::{self, Token};
use crate::{Action, Context, CopyOut, Effects, Forward, Plan, Target};

/// Plans a COPY. `query` plans the statement inside `COPY (query) TO`.
pub(crate) fn plan(
    sql: &[u8],
    tokens: &[Token],
    context: &Context<'_>,
    query: impl FnOnce(&[Token]) -> Result<Plan, ClientError>,
) -> Result<Plan, ClientError> {
    match Head::read(&mut Cursor::new(sql, tokens))?.source {
        Source::Query(inner) => {
            let copy = CopyStatement::read(sql, tokens)?;
            query_plan(&copy, query(inner)?)
        }
        Source::Table { name, .. } => {
            match context.catalog.resolve(context.search_path, name.schema.as_deref(), &name.name) {
                Resolved::Home => Ok(forward(Target::Home, "COPY of a home table")),
                Resolved::Fragment(table) => Err(fragment_named(&name, table)),
                Resolved::Logical(table) => {
                    let copy = CopyStatement::read(sql, tokens)?;
                    table_plan(sql, &copy, table, context)
                }
            }
        }
    }
}

fn query_plan(copy: &CopyStatement<'_>, mut plan: Plan) -> Result<Plan, ClientError> {
    let Action::Forward(forward) = &mut plan.action else {
        return Err(ClientError::unsupported("COPY of this query is not supported"));
    };
    if forward.exchange.as_ref().is_some_and(|exchange| exchange.parameters > 0) {
        return Err(no_parameter());
    }
    if copy.peer == Peer::Server {
        match forward.target {
            Target::Home | Target::Neutral => forward.target = Target::Home,
            _ => return Err(server_side()),
        }
    }
    Ok(plan)
}

fn table_plan(
    sql: &[u8],
    copy: &CopyStatement<'_>,
    table: &Table,
    context: &Context<'_>,
) -> Result<Plan, ClientError> {
    if copy.peer == Peer::Server {
        return Err(server_side());
    }
    let columns = columns_of(copy, table)?;
    match (copy.direction, &table.kind) {
        (Direction::To, TableKind::Reference) => {
            Ok(forward(Target::Everywhere, "every node has all of the reference table"))
        }
        (Direction::To, TableKind::Fragmented(fragmentation)) => {
            let text = query_text(sql, copy, table, &columns)?;
            match fragmentation.single_node() {
                Some(node) => Ok(copy_out(text, node)),
                None => gather(sql, copy, table, &columns, text),
            }
        }
        (Direction::From, TableKind::Reference) => {
            into_reference(sql, copy, table, columns, context)
        }
        (Direction::From, TableKind::Fragmented(fragmentation)) => {
            match fragmentation.single_node() {
                Some(node) => Ok(forward(Target::Node(node), "all fragments are on one node")),
                None => into_fragments(sql, copy, table, fragmentation, columns),
            }
        }
    }
}

/// The columns that the stream has, as indices into the table's.
fn columns_of(copy: &CopyStatement<'_>, table: &Table) -> Result<Vec<usize>, ClientError> {
    let Source::Table { columns: Some(names), .. } = &copy.source else {
        let given = |index: &usize| !table.columns[*index].generated;
        return Ok((0..table.columns.len()).filter(given).collect());
    };
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let index = table.columns.iter().position(|column| column.name == *name);
        let index = index.ok_or_else(|| {
            let message =
                format!("column \"{name}\" of relation \"{}\" does not exist", table.name.name);
            ClientError::error(SqlState::UNDEFINED_COLUMN, message)
        })?;
        if columns.contains(&index) {
            let message = format!("column \"{name}\" specified more than once");
            return Err(ClientError::error(SqlState::DUPLICATE_COLUMN, message));
        }
        if table.columns[index].generated {
            let message = format!("column \"{name}\" is a generated column");
            return Err(ClientError::error(SqlState::INVALID_COLUMN_REFERENCE, message)
                .with_detail("Generated columns cannot be used in COPY."));
        }
        columns.push(index);
    }
    Ok(columns)
}

/// PostgreSQL copies nothing out of a partitioned table itself, only out of a query over it.
fn query_text(
    sql: &[u8],
    copy: &CopyStatement<'_>,
    table: &Table,
    columns: &[usize],
) -> Result<Vec<u8>, ClientError> {
    if copy.age == Age::Ancient {
        return Err(ClientError::unsupported(
            "COPY BINARY and DELIMITERS are not supported for fragmented tables",
        )
        .with_hint("Give the options in parentheses: COPY … TO STDOUT WITH (FORMAT binary)."));
    }
    let names: Vec<String> =
        columns.iter().map(|&index| quote_identifier(&table.columns[index].name)).collect();
    let mut text =
        format!("COPY (SELECT {} FROM {}) TO STDOUT ", names.join(", "), table.name.quoted())
            .into_bytes();
    text.extend_from_slice(&sql[copy.tail.clone()]);
    Ok(text)
}

fn copy_out(text: Vec<u8>, node: NodeId) -> Plan {
    Plan {
        action: Action::CopyOut(CopyOut { target: Target::Node(node), text }),
        effects: Effects::default(),
        reasons: vec!["all fragments are on one node".into()],
    }
}

fn gather(
    sql: &[u8],
    copy: &CopyStatement<'_>,
    table: &Table,
    columns: &[usize],
    text: Vec<u8>,
) -> Result<Plan, ClientError> {
    let fields: Vec<&str> =
        columns.iter().map(|&index| table.columns[index].name.as_str()).collect();
    let envelope = Interpreted::new(sql, &copy.options)?.format(&fields)?.envelope();
    Ok(Plan {
        action: Action::CopyGather(Box::new(CopyGather { table: table.id, text, envelope })),
        effects: Effects::default(),
        reasons: vec!["each node sends the rows of its fragments".into()],
    })
}

fn into_reference(
    sql: &[u8],
    copy: &CopyStatement<'_>,
    table: &Table,
    columns: Vec<usize>,
    context: &Context<'_>,
) -> Result<Plan, ClientError> {
    if context.catalog.data_nodes().count() == 1 {
        return Ok(forward(Target::Everywhere, "there is only one node"));
    }
    let options = Interpreted::new(sql, &copy.options)?;
    refuse_freeze(&options)?;
    let needs_default = |index: usize| {
        let column = &table.columns[index];
        !column.generated
            && column.has_default
            && (options.has_default_marker() || !columns.contains(&index))
    };
    if let Some(index) = (0..table.columns.len()).find(|&index| needs_default(index)) {
        let column = &table.columns[index].name;
        let message = format!("COPY cannot use the default of column \"{column}\"");
        return Err(ClientError::unsupported(message)
            .with_detail("A default may have another value on each node of a reference table.")
            .with_hint("Give all columns in the data."));
    }
    if copy.filtered {
        return Err(ClientError::unsupported("COPY into a reference table cannot have a WHERE")
            .with_detail("A condition may have another result on each node."));
    }
    copy_in(&options, table, columns, Spread::Everywhere, "every node gets every row")
}

fn into_fragments(
    sql: &[u8],
    copy: &CopyStatement<'_>,
    table: &Table,
    fragmentation: &Fragmentation,
    columns: Vec<usize>,
) -> Result<Plan, ClientError> {
    let options = Interpreted::new(sql, &copy.options)?;
    refuse_freeze(&options)?;
    let mut key = Vec::with_capacity(fragmentation.key().len());
    for part in fragmentation.key() {
        let field = columns.iter().position(|&column| column == part.column);
        let column = &table.columns[part.column];
        if field.is_none() && column.has_default {
            let message = format!("COPY must give column \"{}\" of the fragment key", column.name);
            return Err(ClientError::unsupported(message)
                .with_detail("Its default is known only after a row has reached a node.")
                .with_hint("Name the column in the list and give its value in the data."));
        }
        key.push(field);
    }
    copy_in(&options, table, columns, Spread::ByKey(key), "each row goes to the node of its key")
}

fn copy_in(
    options: &Interpreted<'_>,
    table: &Table,
    columns: Vec<usize>,
    spread: Spread,
    reason: &'static str,
) -> Result<Plan, ClientError> {
    let fields: Vec<&str> =
        columns.iter().map(|&index| table.columns[index].name.as_str()).collect();
    let copy = CopyIn {
        table: table.id,
        format: options.format(&fields)?,
        encoding: options.encoding()?,
        on_error: options.on_error()?,
        columns,
        spread,
    };
    Ok(Plan {
        action: Action::CopyIn(Box::new(copy)),
        effects: Effects::default(),
        reasons: vec![Cow::Borrowed(reason)],
    })
}

fn forward(target: Target, reason: &'static str) -> Plan {
    Plan {
        action: Action::Forward(Forward::to(target)),
        effects: Effects::default(),
        reasons: vec![Cow::Borrowed(reason)],
    }
}

fn refuse_freeze(options: &Interpreted<'_>) -> Result<(), ClientError> {
    if options.freezes()? {
        return Err(ClientError::unsupported("cannot perform COPY FREEZE on a partitioned table"));
    }
    Ok(())
}

/// COPY takes none, by whichever protocol it comes.
fn no_parameter() -> ClientError {
    ClientError::error(SqlState::UNDEFINED_PARAMETER, "there is no parameter $1")
}

fn server_side() -> ClientError {
    ClientError::unsupported(
        "COPY with a file or program of the server needs a table of the home node",
    )
    .with_hint("Use COPY … STDIN or STDOUT, or psql's \\copy.")
}

fn fragment_named(name: &Name<'_>, table: &Table) -> ClientError {
    ClientError::unsupported(format!("\"{}\" is a fragment of \"{}\"", name.name, table.name.name))
        .with_hint("Name the table itself.")
}

fn syntax_error(cursor: &Cursor<'_>) -> ClientError {
    let message = match cursor.peek() {
        None => Cow::Borrowed("syntax error at end of input"),
        Some(token) => {
            let text = String::from_utf8_lossy(token.text(cursor.sql()));
            Cow::Owned(format!("syntax error at or near \"{text}\""))
        }
    };
    ClientError::error(SqlState::SYNTAX_ERROR, message)
        .at(lex::position(cursor.sql(), cursor.offset()))
}

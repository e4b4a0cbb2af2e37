//! `herd.fragment_table`: a table of the home node is cut into fragments.

use std::sync::Arc;

use herd_catalog::{Change, Fragmentation, Method, Table};
use herd_types::{ClientError, SqlState};

use super::Subject;
use super::call::Call;
use super::changes::Changes;
use super::names::Names;
use super::shape::{self, ColumnKind};
use super::steps::{Placing, Reshape, Swap};
use super::twin::{Counts, Twin};
use crate::cursor::Cursor;
use crate::ddl::create_table::{
    Cut, Known, check_fragment_names, foresee_spec, pin_placement, refuse_unique, spec_of,
    table_like,
};
use crate::ddl::definition::{Observe, Publish, Script};
use crate::ddl::elements::{self, ConstraintKind};
use crate::ddl::foreign_key::{self, Kept, Referring};
use crate::ddl::request::Request;
use crate::ddl::serial::Stride;
use crate::ddl::sql::column_list;
use crate::ddl::{Stop, function};
use crate::lex;

pub fn plan(request: &Request<'_>, call: &Call, subject: &Subject) -> Result<Reshape, Stop> {
    let Subject { name, shape, .. } = subject;
    shape.check_dependents(&name.name, subject.function)?;
    if let Some(trigger) = shape.statement_triggers.first() {
        return Err(refuse_trigger(subject, trigger).into());
    }
    let cut = cut(request, call, subject)?;
    check_unique(subject, &cut)?;
    function::check_existing(request, &name.name, false)?;
    let columns = shape.columns.iter().map(catalog_column).collect();
    let spec = spec_of(columns, &cut, call.argument("family"), name);
    let table = foresee_spec(request, &spec)?;
    let placed = table.fragmentation().expect("a table with fragments has a fragmentation");
    check_fragment_names(request, placed)?;

    let names = Names::new(name, table.id);
    let twin = Twin { table: name, names: &names, shape };
    let counts = Counts::ByNode(Stride::of(request.catalog));
    let key = cut.key.iter().map(|part| part.name.clone()).collect::<Vec<_>>();
    let changes = Changes::new(name, &names, shape, &key);
    let nodes = request.all_nodes()?;
    let (sources, targets) = (vec![request.home()], placed.nodes().to_vec());

    let partition_by = partition_clause(&cut, &key);
    let (mut begin, mut build, mut undo) =
        (Script::default(), Script::default(), Script::default());
    for &node in &nodes {
        twin.create(&mut begin, node, &counts, Some(&partition_by))?;
        twin.create_fragments(&mut begin, node, placed);
        twin.prepare(&mut begin, node);
        twin.build(&mut build, node);
    }
    changes.begin(&mut begin, &sources, &targets);
    changes.undo(&mut undo, &sources, &targets);
    twin.undo(&mut undo, &nodes);

    let mut last = Script::default();
    last.on(request.home(), format!("DROP TABLE {}", name.quoted()));
    changes.end(&mut last, &sources, &targets);
    for &node in &nodes {
        twin.rename(&mut last, node);
    }
    foreign_keys(request, subject, &cut, placed, &mut last)?;
    for &node in &nodes {
        twin.complete(&mut last, node);
    }
    let id = table.id;
    let spec = pin_placement(spec, placed);
    let placing = placing(subject, &key, table);
    Ok(Reshape {
        function: subject.function,
        begin,
        copying: changes.copying(&sources, &targets, placing),
        build,
        swap: Swap {
            table: name.clone(),
            locked: sources.clone(),
            described: subject.described.clone(),
            numbers: twin.numbers(&nodes, &counts),
            script: last,
            publish: Publish {
                changes: vec![Change::AddTable(spec)],
                observe: Observe::Tables(vec![id]),
                shadows: true,
            },
        },
        undo,
    })
}

/// Each row goes to the fragment of its key.
fn placing(subject: &Subject, key: &[String], table: Arc<Table>) -> Placing {
    let written = subject.shape.written().collect::<Vec<_>>();
    let field = |name: &String| written.iter().position(|written| *written == name);
    Placing::ByKey { table, fields: key.iter().map(field).collect(), columns: written.len() }
}

fn cut(request: &Request<'_>, call: &Call, subject: &Subject) -> Result<Cut, Stop> {
    let like = call.argument("like_table").map(|like| table_like(request, like)).transpose()?;
    let of_like = like.as_ref().and_then(|table| table.fragmentation());
    let method = of_like.map_or(Method::Hash, Fragmentation::method);
    let key = call.argument("key").ok_or_else(|| without("key", "names the columns to cut by"))?;
    let sql = key.as_bytes();
    let tokens = lex::tokens(sql).map_err(|error| error.into_client_error(sql))?;
    let mut cursor = Cursor::new(sql, &tokens);
    let mut parts = Vec::new();
    loop {
        let name = cursor.identifier().ok_or_else(|| invalid_key(key))?;
        let known = known_column(subject, &name).ok_or_else(|| no_column(&name))?;
        parts.push(known.key_part(method, known.collation.as_ref(), false)?);
        if cursor.is_done() {
            break;
        }
        cursor.kind(lex::Kind::Comma).ok_or_else(|| invalid_key(key))?;
    }
    let fragments = match (call.argument("fragments"), of_like) {
        (Some(text), _) => text.parse().ok().filter(|count| *count > 0).ok_or_else(bad_count)?,
        (None, Some(of_like)) => of_like.fragments().len() as u32,
        (None, None) => return Err(without("fragments", "says how many there are to be").into()),
    };
    if of_like.is_some_and(|of_like| of_like.fragments().len() as u32 != fragments) {
        return Err(other_count().into());
    }
    Ok(Cut { method, key: parts, fragments, like, is_automatic: false })
}

fn known_column(subject: &Subject, name: &str) -> Option<Known> {
    let column = subject.shape.column(name)?;
    let last = |qualified: &String| {
        let name = qualified.rsplit('.').next().unwrap_or_default();
        name.trim_matches('"').to_owned()
    };
    Some(Known {
        name: column.name.clone(),
        type_name: Some(column.type_name.clone()),
        collation: column.collation.as_ref().map(last),
        is_generated: column.kind == ColumnKind::Generated,
        has_default: column.expression.is_some(),
    })
}

/// As the nodes will tell it once the table is there.
pub fn catalog_column(column: &shape::Column) -> herd_catalog::Column {
    herd_catalog::Column {
        name: column.name.clone(),
        type_name: column.type_name.clone(),
        generated: column.kind == ColumnKind::Generated,
        has_default: column.expression.is_some() || column.kind != ColumnKind::Plain,
    }
}

fn partition_clause(cut: &Cut, key: &[String]) -> String {
    format!("PARTITION BY {} ({})", cut.method.as_str().to_uppercase(), column_list(key))
}

/// What spans fragments cannot be kept unique by any node.
fn check_unique(subject: &Subject, cut: &Cut) -> Result<(), ClientError> {
    for index in subject.shape.indexes.iter().filter(|index| index.is_unique) {
        if let Some(missing) = cut.key.iter().find(|part| !index.columns.contains(&part.name)) {
            let kind = match (index.is_primary, &index.constraint) {
                (true, _) => "PRIMARY KEY".to_owned(),
                (false, Some(_)) => format!("UNIQUE ({})", index.name),
                (false, None) => format!("UNIQUE index ({})", index.name),
            };
            return Err(refuse_unique(&kind, &subject.name.name, &missing.name));
        }
    }
    Ok(())
}

/// As the table has them, each wherever it can be kept.
fn foreign_keys(
    request: &Request<'_>,
    subject: &Subject,
    cut: &Cut,
    placed: &Fragmentation,
    script: &mut Script,
) -> Result<(), Stop> {
    let columns = cut.key.iter().map(|part| part.name.clone()).collect::<Vec<_>>();
    let from = Referring {
        name: &subject.name,
        cut: Some(placed),
        key: &columns,
        primary_key: subject.shape.primary_key(),
    };
    for (name, definition) in &subject.shape.foreign_keys {
        add_foreign_key(request, &from, name, definition, script)?;
    }
    Ok(())
}

/// Adds a foreign key, which is there as `pg_get_constraintdef` prints it.
pub fn add_foreign_key(
    request: &Request<'_>,
    from: &Referring<'_>,
    name: &str,
    definition: &str,
    script: &mut Script,
) -> Result<(), Stop> {
    let sql = definition.as_bytes();
    let tokens = lex::tokens(sql).map_err(|error| error.into_client_error(sql))?;
    let request = Request { sql: definition, tokens: &tokens, ..*request };
    let constraint = elements::read_constraint(&mut Cursor::new(sql, &tokens), &tokens);
    let Some(ConstraintKind::ForeignKey(key)) = constraint.map(|constraint| constraint.kind) else {
        return Err(shape::refused(&from.name.name, "fragment_table")
            .with_detail(format!("Its foreign key {name} cannot be read."))
            .into());
    };
    match (foreign_key::decide(&request, from, &key)?, from.cut) {
        (Kept::ByFragment(target), Some(placed)) => {
            target.add(&request, script, placed, &key, name);
        }
        _ => {
            let name = herd_catalog::quote_identifier(name);
            let table = from.name.quoted();
            let text = format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}");
            script.on_each(&request.all_nodes()?, text);
        }
    }
    Ok(())
}

fn refuse_trigger(subject: &Subject, trigger: &str) -> ClientError {
    shape::refused(&subject.name.name, subject.function)
        .with_detail(format!(
            "Its trigger {trigger} fires once for a statement, which may run on several nodes."
        ))
        .with_hint("Drop it, or make it FOR EACH ROW and without transition tables.")
}

fn without(parameter: &str, what: &str) -> ClientError {
    let message = format!("herd.fragment_table needs argument {parameter}, which {what}");
    ClientError::error(SqlState::INVALID_PARAMETER_VALUE, message)
        .with_hint("SELECT herd.fragment_table('orders', key => 'user_id', fragments => 16);")
}

fn invalid_key(key: &str) -> ClientError {
    ClientError::error(SqlState::INVALID_PARAMETER_VALUE, format!("invalid key: \"{key}\""))
        .with_hint("Name one column, or several with commas between them.")
}

fn no_column(name: &str) -> ClientError {
    let message = format!("column \"{name}\" named in key does not exist");
    ClientError::error(SqlState::UNDEFINED_COLUMN, message)
}

fn bad_count() -> ClientError {
    let message = "fragments must be a positive number";
    ClientError::error(SqlState::INVALID_PARAMETER_VALUE, message)
}

fn other_count() -> ClientError {
    let message = "like_table has another number of fragments";
    ClientError::error(SqlState::INVALID_PARAMETER_VALUE, message)
        .with_hint("Leave argument fragments out.")
}

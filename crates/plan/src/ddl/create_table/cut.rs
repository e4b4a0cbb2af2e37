//! How a new table is to be cut: by what its PARTITION BY and options say, or by its primary key
//! under `herd.auto_fragment`.

use herd_catalog::{KeyType, Method, Table};
use herd_types::{ClientError, SqlState};

use super::home::constraints;
use super::invalid;
use crate::cursor::Cursor;
use crate::ddl::Stop;
use crate::ddl::clauses::CreateTable;
use crate::ddl::columns::Column;
use crate::ddl::elements::{Constraint, ConstraintKind, Element};
use crate::ddl::foreign_key::{self, Kept, Referring};
use crate::ddl::options::Options;
use crate::ddl::request::{Named, Request};
use crate::ddl::serial;
use crate::ddl::types::DeclaredType;
use crate::lex;

/// Method, key and number of fragments of a new table.
#[derive(Clone, Debug)]
pub struct Cut {
    pub method: Method,
    pub key: Vec<KeyPart>,
    /// For hash alone: the others get their fragments one by one.
    pub fragments: u32,
    pub like: Option<std::sync::Arc<Table>>,
    /// PARTITION BY is not in the statement yet.
    pub is_automatic: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPart {
    pub name: String,
    /// As `format_type` prints it.
    pub type_name: String,
}

/// What the statement itself asks for.
pub fn declared(
    request: &Request<'_>,
    create: &CreateTable<'_>,
    options: &Options,
) -> Result<Cut, Stop> {
    let Some(partition_by) = &create.partition_by else {
        return Err(refuse_without_partition_by().into());
    };
    let Some(method) = partition_by.method else {
        return Err(refuse_without_partition_by().into());
    };
    let columns = columns(request, create)?;
    let mut key = Vec::new();
    for element in partition_by.columns.clone()? {
        let found = columns.iter().find(|column| column.name == element.name);
        let found = found.ok_or_else(|| no_column(&element.name))?;
        let collation = element.collation.as_ref().or(found.collation.as_ref());
        key.push(found.key_part(method, collation, element.collation.is_some())?);
    }
    check_unique(create, &key)?;
    let like = match &options.like {
        Some(like) => Some(table_like(request, like)?),
        None => None,
    };
    let fragments = number_of_fragments(method, options, like.as_deref())?;
    Ok(Cut { method, key, fragments, like, is_automatic: false })
}

/// What `herd.auto_fragment` makes of a table that says nothing; `None`: a home table.
pub fn automatic(
    request: &Request<'_>,
    create: &CreateTable<'_>,
    spec: &str,
) -> Result<Option<Cut>, Stop> {
    let fragments = automatic_fragments(spec)?;
    if create.partition_by.is_some() || create.inherits.is_some() || !suits_parent(request, create)
    {
        return Ok(None);
    }
    let columns = columns_if_whole(request, create)?.unwrap_or_default();
    let keys = constraints(create).filter_map(|constraint| match &constraint.kind {
        ConstraintKind::PrimaryKey(names) => Some((0, names)),
        ConstraintKind::Unique(names) => Some((1, names)),
        _ => None,
    });
    let mut keys = keys.collect::<Vec<_>>();
    keys.sort_by_key(|(rank, _)| *rank);
    let candidates = keys.first().map_or(&[][..], |(_, names)| names.as_slice());
    for name in candidates {
        let column = columns.iter().find(|column| column.name == *name);
        let part =
            column.map(|column| column.key_part(Method::Hash, column.collation.as_ref(), false));
        let Some(Ok(part)) = part else {
            continue;
        };
        if keys.iter().all(|(_, names)| names.contains(name)) {
            let cut = Cut {
                method: Method::Hash,
                key: vec![part],
                fragments,
                like: None,
                is_automatic: true,
            };
            if keeps_foreign_keys(request, create, &cut)? {
                return Ok(Some(cut));
            }
        }
    }
    Ok(None)
}

/// A column as far as keys are concerned.
#[derive(Clone, Debug)]
pub struct Known {
    pub name: String,
    pub type_name: Option<String>,
    pub collation: Option<String>,
    pub is_generated: bool,
    pub has_default: bool,
}

impl Known {
    fn of(column: &Column<'_>) -> Known {
        let type_name = match &column.declared {
            DeclaredType::Known(name) => Some(name.clone()),
            DeclaredType::Serial(integer) => Some((*integer).to_owned()),
            DeclaredType::Other => None,
        };
        let has_default = column.default.is_some()
            || column.identity.is_some()
            || matches!(column.declared, DeclaredType::Serial(_));
        Known {
            name: column.name.clone(),
            type_name,
            collation: column.collation.clone(),
            is_generated: column.generated.is_some(),
            has_default,
        }
    }

    pub fn key_part(
        &self,
        method: Method,
        collation: Option<&String>,
        is_of_key: bool,
    ) -> Result<KeyPart, ClientError> {
        if self.is_generated {
            return Err(no_key(&self.name, "generated columns cannot be part of a fragment key"));
        }
        let known = self.type_name.as_deref().and_then(KeyType::from_type_name);
        let (Some((key_type, _)), Some(type_name)) = (known, &self.type_name) else {
            return Err(wrong_type(&self.name));
        };
        if !key_type.is_collated() {
            return Ok(KeyPart { name: self.name.clone(), type_name: type_name.clone() });
        }
        let is_c = |name: &String| name == "C" || name == "POSIX";
        let column_is_c = self.collation.as_ref().is_some_and(is_c);
        if method == Method::Range && !column_is_c {
            return Err(not_ordered_alike(&self.name));
        }
        let is_plain = |name: &String| is_c(name) || name == "default";
        if collation.is_some_and(|name| !is_plain(name)) || (is_of_key && !column_is_c) {
            return Err(foreign_collation(&self.name));
        }
        Ok(KeyPart { name: self.name.clone(), type_name: type_name.clone() })
    }
}

/// The columns that the table will have, in order.
pub fn columns(request: &Request<'_>, create: &CreateTable<'_>) -> Result<Vec<Known>, Stop> {
    match columns_if_whole(request, create)? {
        Some(columns) => Ok(columns),
        None => Err(refuse_like_home().into()),
    }
}

/// `None`: some come from a table that only the home node has.
fn columns_if_whole(
    request: &Request<'_>,
    create: &CreateTable<'_>,
) -> Result<Option<Vec<Known>>, Stop> {
    let mut columns = Vec::new();
    for (_, element) in create.elements() {
        match element {
            Element::Column(column) => columns.push(Known::of(column)),
            Element::Like(name) => match request.table_named(name)? {
                Named::Table(table) => columns.extend(table.columns.iter().map(|column| Known {
                    name: column.name.clone(),
                    type_name: Some(column.type_name.clone()),
                    collation: None,
                    is_generated: column.generated,
                    has_default: column.has_default,
                })),
                _ => return Ok(None),
            },
            Element::Constraint(_) | Element::Unknown => {}
        }
    }
    Ok(Some(columns))
}

/// Whether nothing in the table keeps it from being a partitioned one on several nodes.
fn suits_parent(request: &Request<'_>, create: &CreateTable<'_>) -> bool {
    let sql = request.sql.as_bytes();
    create.elements().iter().all(|(_, element)| match element {
        Element::Column(column) => !serial::calls_nextval(sql, column),
        _ => true,
    }) && constraints(create).all(|constraint| {
        !matches!(
            constraint.kind,
            ConstraintKind::Exclude | ConstraintKind::Check { no_inherit: true }
        )
    })
}

/// Whether each foreign key can be kept if the table is cut so. One to a fragmented table must
/// be: the table could not have it on the home node either.
fn keeps_foreign_keys(
    request: &Request<'_>,
    create: &CreateTable<'_>,
    cut: &Cut,
) -> Result<bool, Stop> {
    let keys = constraints(create).filter_map(|constraint| match &constraint.kind {
        ConstraintKind::ForeignKey(key) => Some(key),
        _ => None,
    });
    let keys = keys.collect::<Vec<_>>();
    if keys.is_empty() {
        return Ok(true);
    }
    let name = request.creation_name(&create.name)?;
    let foreseen = super::spec::foresee(request, create, cut, None, &name)?;
    for key in keys {
        let from = Referring {
            name: &name,
            cut: foreseen.fragmentation(),
            key: &cut.key.iter().map(|part| part.name.clone()).collect::<Vec<_>>(),
            primary_key: primary_key(create),
        };
        match foreign_key::decide(request, &from, key) {
            Ok(Kept::AsDeclared | Kept::ByFragment(_)) => {}
            Err(Stop::Refused(_)) => return Ok(false),
            Err(ask) => return Err(ask),
        }
    }
    Ok(true)
}

pub fn primary_key<'c>(create: &'c CreateTable<'_>) -> Option<&'c [String]> {
    constraints(create).find_map(|constraint| match &constraint.kind {
        ConstraintKind::PrimaryKey(names) => Some(names.as_slice()),
        _ => None,
    })
}

/// A constraint that spans fragments cannot be checked on one node.
fn check_unique(create: &CreateTable<'_>, key: &[KeyPart]) -> Result<(), ClientError> {
    for constraint in constraints(create) {
        let (kind, names) = match &constraint.kind {
            ConstraintKind::PrimaryKey(names) => ("PRIMARY KEY", names),
            ConstraintKind::Unique(names) => ("UNIQUE", names),
            ConstraintKind::Exclude => return Err(refuse_exclude(constraint)),
            _ => continue,
        };
        if let Some(missing) = key.iter().find(|part| !names.contains(&part.name)) {
            return Err(refuse_unique(kind, &create.name.name, &missing.name));
        }
    }
    Ok(())
}

fn number_of_fragments(
    method: Method,
    options: &Options,
    like: Option<&Table>,
) -> Result<u32, ClientError> {
    let of_like = like.and_then(|table| table.fragmentation());
    let of_like = of_like.map(|cut| cut.fragments().len() as u32);
    match (method, options.fragments.or(of_like)) {
        (Method::Hash, Some(fragments)) => Ok(fragments),
        (Method::Hash, None) => Err(invalid(
            "a table fragmented by hash needs a number of fragments",
            "Add herd.fragments, such as WITH (herd.fragments = 16).",
        )),
        (Method::Range | Method::List, _) if options.fragments.is_some() => Err(invalid(
            "herd.fragments is for tables fragmented by hash",
            "Use herd.fragmented = true, and create each fragment with PARTITION OF.",
        )),
        (Method::Range | Method::List, _) => Ok(0),
    }
}

/// `hash:8`
fn automatic_fragments(spec: &str) -> Result<u32, ClientError> {
    let number = spec.strip_prefix("hash:").and_then(|number| number.parse().ok());
    number.filter(|&number| number > 0).ok_or_else(|| {
        invalid(
            "invalid value for parameter \"herd.auto_fragment\"",
            "Use 'hash:' and a number of fragments, such as 'hash:8', or an empty string.",
        )
    })
}

pub fn table_like(request: &Request<'_>, like: &str) -> Result<std::sync::Arc<Table>, Stop> {
    let sql = like.as_bytes();
    let tokens = lex::tokens(sql).map_err(|error| error.into_client_error(sql))?;
    let name = Cursor::new(sql, &tokens).name();
    let named = name.map(|name| request.table_named(&name)).transpose()?;
    match named {
        Some(Named::Table(table)) if table.fragmentation().is_some() => Ok(table),
        _ => Err(no_such_table(like).into()),
    }
}

fn refuse_without_partition_by() -> ClientError {
    invalid(
        "a fragmented table needs a fragment key",
        "Add PARTITION BY HASH (column), or RANGE or LIST, after the list of columns.",
    )
}

fn no_column(name: &str) -> ClientError {
    let message = format!("column \"{name}\" named in partition key does not exist");
    ClientError::error(SqlState::UNDEFINED_COLUMN, message)
}

fn no_key(column: &str, why: &'static str) -> ClientError {
    ClientError::unsupported(format!("column \"{column}\" cannot be a fragment key"))
        .with_detail(why)
}

fn wrong_type(column: &str) -> ClientError {
    no_key(
        column,
        "Values of its type do not hash and compare alike on all nodes, as an enum's do not.",
    )
    .with_hint(
        "Use a boolean, integer, numeric, text, varchar, char, uuid, date, timestamp or bytea \
         column.",
    )
}

fn not_ordered_alike(column: &str) -> ClientError {
    no_key(column, "Ranges over text need an order that no server's locale can change.")
        .with_hint("Declare the column with COLLATE \"C\".")
}

fn foreign_collation(column: &str) -> ClientError {
    no_key(column, "Under its collation, texts of different bytes may be equal.")
        .with_hint("Use the default collation, or declare the column with COLLATE \"C\".")
}

pub fn refuse_unique(kind: &str, table: &str, missing: &str) -> ClientError {
    ClientError::unsupported(
        "unique constraint on partitioned table must include all partitioning columns",
    )
    .with_detail(format!(
        "{kind} constraint on table \"{table}\" lacks column \"{missing}\" which is part of the \
         partition key."
    ))
    .with_hint(format!("Add column \"{missing}\" to the constraint, or fragment by its columns."))
}

fn refuse_exclude(constraint: &Constraint<'_>) -> ClientError {
    let name = constraint.name.as_deref().unwrap_or("EXCLUDE");
    ClientError::unsupported(format!("constraint \"{name}\" cannot be on a fragmented table"))
        .with_detail("An exclusion constraint compares rows that may lie on different nodes.")
        .with_hint("Leave the constraint out, or keep the table on the home node.")
}

fn refuse_like_home() -> ClientError {
    ClientError::unsupported("LIKE names a table that only the home node has")
        .with_detail("The new table lies on nodes that do not know its columns.")
        .with_hint("Write the columns out.")
}

fn no_such_table(name: &str) -> ClientError {
    let message = format!("\"{name}\" is not a fragmented table");
    ClientError::error(SqlState::WRONG_OBJECT_TYPE, message)
}

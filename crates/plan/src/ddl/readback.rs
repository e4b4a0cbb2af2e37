//! What is read from the nodes once the statements have run, before they are committed: the
//! catalog learns columns from PostgreSQL itself, and all nodes must have come to the same names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use herd_catalog::{
    Catalog, Change, Column, KindSpec, Method, Table, TableKind, TableName, TableSpec,
};
use herd_types::{ClientError, SqlState, TableId};

use super::definition::{Observe, Publish};
use super::facts::Rows;
use super::sql::literal;

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Under the names that they have by now.
    tables: Vec<(TableId, TableName)>,
    /// Unqualified names of logical tables and fragments.
    names: BTreeSet<String>,
}

/// What the home node answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    pub columns: Rows,
    pub relations: Rows,
}

/// A column as it was read.
struct Found {
    column: Column,
    key: Option<KeyPlace>,
}

struct KeyPlace {
    place: usize,
    is_deterministic: bool,
    is_c: bool,
}

impl Publish {
    /// What has to be read before the catalog's next snapshot is known.
    ///
    /// # Errors
    /// When the catalog cannot become what the definition says.
    pub fn reading(&self, catalog: &Catalog) -> Result<Reading, ClientError> {
        let next = catalog.apply_all(&self.changes)?;
        let is_observed = |id: TableId| match &self.observe {
            Observe::None => false,
            Observe::Tables(tables) => tables.contains(&id),
            Observe::All => true,
        };
        let observed = next.tables().filter(|table| is_observed(table.id));
        let tables = observed.map(|table| (table.id, table.name.clone())).collect();
        let names = if self.shadows { bare_names(&next) } else { BTreeSet::new() };
        Ok(Reading { tables, names })
    }

    /// The changes that make the catalog agree with what was read.
    ///
    /// # Errors
    /// When what was read cannot be a logical table.
    pub fn changes(
        &self,
        catalog: &Catalog,
        reading: &Reading,
        observed: &Observed,
    ) -> Result<Vec<Change>, ClientError> {
        let mut found = reading.read_columns(&observed.columns);
        let mut changes = Vec::new();
        for change in &self.changes {
            changes.push(match change {
                Change::AddTable(spec) => {
                    let table = reading.tables.iter().find(|(_, name)| *name == spec.name);
                    let columns = table.and_then(|(id, _)| found.remove(id));
                    let columns = columns.ok_or_else(|| vanished(&spec.name))?;
                    Change::AddTable(complete(spec, columns)?)
                }
                other => other.clone(),
            });
        }
        let next = catalog.apply_all(&changes)?;
        let known = |id: &TableId| catalog.table(*id).is_some();
        for (id, name) in reading.tables.iter().filter(|(id, _)| known(id)) {
            let Some(table) = next.table(*id) else {
                continue;
            };
            debug_assert_eq!(table.name, *name);
            match found.remove(id) {
                None => changes.push(Change::DropTable(*id)),
                Some(columns) => changes.extend(refreshed(table, columns)),
            }
        }
        if self.shadows {
            let next = catalog.apply_all(&changes)?;
            changes.extend(shadow_changes(catalog, &next, &observed.relations)?);
        }
        Ok(changes)
    }
}

impl Reading {
    /// Asked on the home node; `None`: there is nothing to ask.
    #[must_use]
    pub fn columns_sql(&self) -> Option<String> {
        (!self.tables.is_empty()).then(|| COLUMNS_SQL.replace("$tables", &self.regclasses()))
    }

    /// Asked on the home node.
    #[must_use]
    pub fn relations_sql(&self) -> Option<String> {
        let names = self.names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ");
        (!self.names.is_empty()).then(|| RELATIONS_SQL.replace("$names", &names))
    }

    /// Asked on every node: all must answer the same.
    #[must_use]
    pub fn agreement_sql(&self) -> Option<String> {
        (!self.tables.is_empty()).then(|| AGREEMENT_SQL.replace("$tables", &self.regclasses()))
    }

    /// The tables, whether they still exist or not.
    fn regclasses(&self) -> String {
        let names = self.tables.iter().map(|(_, name)| literal(&name.quoted()));
        names.collect::<Vec<_>>().join(", ")
    }

    /// The columns of those tables that exist.
    fn read_columns(&self, rows: &Rows) -> BTreeMap<TableId, Vec<Found>> {
        let mut found = BTreeMap::<TableId, Vec<Found>>::new();
        for row in rows {
            let [Some(place), rest @ ..] = row.as_slice() else {
                continue;
            };
            let place = place.parse::<usize>().ok().and_then(|place| place.checked_sub(1));
            let Some((id, _)) = place.and_then(|place| self.tables.get(place)) else {
                continue;
            };
            let columns = found.entry(*id).or_default();
            columns.extend(Found::read(rest));
        }
        found
    }
}

impl Found {
    /// `None`: the table has no column at all.
    fn read(row: &[Option<String>]) -> Option<Found> {
        let [Some(name), Some(type_name), generated, default, place, deterministic, is_c] = row
        else {
            return None;
        };
        let is_true = |value: &Option<String>| value.as_deref() == Some("t");
        let place = place.as_deref().and_then(|place| place.parse().ok());
        Some(Found {
            column: Column {
                name: name.clone(),
                type_name: type_name.clone(),
                generated: is_true(generated),
                has_default: is_true(default),
            },
            key: place.map(|place| KeyPlace {
                place,
                is_deterministic: is_true(deterministic),
                is_c: is_true(is_c),
            }),
        })
    }
}

/// A new table with the columns that it got.
fn complete(spec: &TableSpec, found: Vec<Found>) -> Result<TableSpec, ClientError> {
    if let KindSpec::Fragmented { method, key, .. } = &spec.kind {
        let names = key_names(&found);
        if names != *key {
            return Err(vanished(&spec.name));
        }
        for column in found.iter() {
            check_collation(*method, column)?;
        }
    }
    let columns = found.into_iter().map(|found| found.column).collect();
    Ok(TableSpec { columns, ..spec.clone() })
}

/// Texts that are equal must be the same bytes, and ranges need an order of bytes.
fn check_collation(method: Method, found: &Found) -> Result<(), ClientError> {
    let is_collated = herd_catalog::KeyType::from_type_name(&found.column.type_name)
        .is_some_and(|(key_type, _)| key_type.is_collated());
    match &found.key {
        Some(key) if is_collated => {
            let suits = key.is_deterministic && (key.is_c || method != Method::Range);
            if suits { Ok(()) } else { Err(unsuitable_collation(&found.column.name)) }
        }
        _ => Ok(()),
    }
}

fn key_names(found: &[Found]) -> Vec<String> {
    let keys = found.iter().filter_map(|found| Some((found.key.as_ref()?.place, found)));
    let mut keys = keys.collect::<Vec<_>>();
    keys.sort_by_key(|(place, _)| *place);
    keys.into_iter().map(|(_, found)| found.column.name.clone()).collect()
}

/// The change of a table that was there before, if it has changed.
fn refreshed(table: &Arc<Table>, found: Vec<Found>) -> Option<Change> {
    let key = match &table.kind {
        TableKind::Reference => Vec::new(),
        TableKind::Fragmented(_) => key_names(&found),
    };
    let columns = found.into_iter().map(|found| found.column).collect::<Vec<_>>();
    (columns != table.columns).then(|| Change::SetColumns { table: table.id, columns, key })
}

fn bare_names(catalog: &Catalog) -> BTreeSet<String> {
    let fragments = catalog
        .tables()
        .filter_map(|table| table.fragmentation())
        .flat_map(|cut| cut.fragments())
        .map(|fragment| fragment.name.name.clone());
    catalog.tables().map(|table| table.name.name.clone()).chain(fragments).collect()
}

/// Which home relations have become shadows, and which no longer are.
fn shadow_changes(
    catalog: &Catalog,
    next: &Catalog,
    relations: &Rows,
) -> Result<Vec<Change>, ClientError> {
    let fragments = next
        .tables()
        .filter_map(|table| table.fragmentation())
        .flat_map(|cut| cut.fragments().iter().map(|fragment| &fragment.name));
    let logical: BTreeSet<&TableName> =
        next.tables().map(|table| &table.name).chain(fragments).collect();
    let mut found = BTreeSet::new();
    for row in relations {
        let [Some(schema), Some(name)] = row.as_slice() else {
            continue;
        };
        let relation = TableName::new(schema, name);
        if !next.knows_name(name) || logical.contains(&relation) {
            continue;
        }
        let is_new = !catalog.knows_name(name);
        if schema.starts_with("pg_temp_") || schema == "pg_catalog" {
            if is_new {
                return Err(hidden(&relation));
            }
            continue;
        }
        found.insert(relation);
    }
    let before: BTreeSet<TableName> = next.shadows().cloned().collect();
    let gone = before.difference(&found).map(|name| Change::DropShadow(name.clone()));
    let came = found.difference(&before).map(|name| Change::AddShadow(name.clone()));
    Ok(gone.chain(came).collect())
}

fn vanished(table: &TableName) -> ClientError {
    ClientError::error(
        SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        format!("table \"{table}\" did not become what was declared"),
    )
    .with_hint("An event trigger may have changed it.")
}

fn unsuitable_collation(column: &str) -> ClientError {
    ClientError::unsupported(format!("column \"{column}\" cannot be a fragment key"))
        .with_detail("Its collation does not order and compare texts byte by byte.")
        .with_hint("Declare the column with COLLATE \"C\".")
}

/// An unqualified name would go on meaning what hides the table.
fn hidden(relation: &TableName) -> ClientError {
    ClientError::error(
        SqlState::DUPLICATE_TABLE,
        format!("\"{relation}\" would hide a table called \"{}\"", relation.name),
    )
    .with_detail("It is a temporary table of some session, or one of PostgreSQL's own.")
    .with_hint("Choose another name.")
}

impl Reading {
    /// What to say when a node came to other names than the home node.
    #[must_use]
    pub fn disagreement(&self, node: &str) -> ClientError {
        ClientError::error(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("node \"{node}\" has other columns, constraints or indexes than the home node"),
        )
        .with_detail(
            "The names of some of them are chosen by PostgreSQL, and depend on what else there is.",
        )
        .with_hint("Give constraints and indexes names of their own.")
    }
}

/// One row for each column, in order; one without a column for a table that has none.
const COLUMNS_SQL: &str = "\
SELECT t.place, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), \
a.attgenerated OPERATOR(pg_catalog.<>) '', \
a.atthasdef OR a.attidentity OPERATOR(pg_catalog.<>) '', \
pg_catalog.array_position(p.partattrs::pg_catalog.int2[], a.attnum), \
COALESCE(l.collisdeterministic, true), \
l.collname OPERATOR(pg_catalog.=) ANY (ARRAY['C', 'POSIX', 'ucs_basic']::pg_catalog.name[]) \
OR l.collcollate OPERATOR(pg_catalog.=) ANY (ARRAY['C', 'POSIX']::pg_catalog.text[]) \
FROM pg_catalog.unnest(ARRAY[$tables]::pg_catalog.text[]) WITH ORDINALITY AS t(name, place) \
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(t.name) \
LEFT JOIN pg_catalog.pg_partitioned_table p ON p.partrelid OPERATOR(pg_catalog.=) c.oid \
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid \
AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped \
LEFT JOIN pg_catalog.pg_collation l ON l.oid OPERATOR(pg_catalog.=) a.attcollation \
ORDER BY t.place, a.attnum";

/// Indexes cannot be selected from, and hide nothing.
const RELATIONS_SQL: &str = "\
SELECT s.nspname, c.relname FROM pg_catalog.pg_class c \
JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) c.relnamespace \
WHERE c.relname OPERATOR(pg_catalog.=) ANY (ARRAY[$names]::pg_catalog.name[]) \
AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f,S}'::pg_catalog.\"char\"[])";

/// Names and types alone: definitions are printed as each node's schemas have it.
const AGREEMENT_SQL: &str = "\
SELECT t.place, pg_catalog.md5(pg_catalog.string_agg(x.line, ';' ORDER BY x.line COLLATE pg_catalog.\"C\")) \
FROM pg_catalog.unnest(ARRAY[$tables]::pg_catalog.text[]) WITH ORDINALITY AS t(name, place) \
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(t.name) \
CROSS JOIN LATERAL (\
SELECT pg_catalog.concat('column ', pg_catalog.row_number() OVER (ORDER BY a.attnum), a.attname, ' ', \
pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated) \
FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid \
AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped \
UNION ALL SELECT pg_catalog.concat('constraint ', k.conname, ' ', k.contype) \
FROM pg_catalog.pg_constraint k WHERE k.conrelid OPERATOR(pg_catalog.=) c.oid \
UNION ALL SELECT pg_catalog.concat('index ', i.relname, ' ', n.indisunique) \
FROM pg_catalog.pg_index n \
JOIN pg_catalog.pg_class i ON i.oid OPERATOR(pg_catalog.=) n.indexrelid \
WHERE n.indrelid OPERATOR(pg_catalog.=) c.oid \
UNION ALL SELECT pg_catalog.concat('sequence ', q.relname) FROM pg_catalog.pg_depend d \
JOIN pg_catalog.pg_class q ON q.oid OPERATOR(pg_catalog.=) d.objid \
AND q.relkind OPERATOR(pg_catalog.=) 'S' \
WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass \
AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass \
AND d.refobjid OPERATOR(pg_catalog.=) c.oid) AS x(line) \
GROUP BY t.place ORDER BY t.place";

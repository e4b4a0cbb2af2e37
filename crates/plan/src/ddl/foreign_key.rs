//! Foreign keys of and to tables that lie on several nodes.
//!
//! To a reference table they are PostgreSQL's own. Between two tables of one family they hold
//! from fragment to fragment: on the parents they would keep fragments from being moved.

use herd_catalog::{Fragmentation, Method, Table, TableName, quote_identifier};
use herd_types::{ClientError, NodeId};

use super::definition::Script;
use super::elements::ForeignKey;
use super::facts::Stop;
use super::request::{Named, Request};
use super::sql::{column_list, object_name};

/// How a foreign key is kept.
#[derive(Clone, Debug)]
pub enum Kept {
    /// By PostgreSQL, as declared.
    AsDeclared,
    /// From each fragment to the one of the same bound.
    ByFragment(Target),
}

/// The table that a foreign key refers to.
#[derive(Clone, Debug)]
pub struct Target {
    fragmentation: Fragmentation,
    columns: Vec<String>,
}

/// The table that has the foreign key, as far as it is known already.
pub struct Referring<'a> {
    pub name: &'a TableName,
    /// `None`: a reference table.
    pub cut: Option<&'a Fragmentation>,
    /// The names of its key columns.
    pub key: &'a [String],
    /// The columns of its own primary key, when it is only being created.
    pub primary_key: Option<&'a [String]>,
}

/// Decides how `key` can be kept.
pub fn decide(
    request: &Request<'_>,
    from: &Referring<'_>,
    key: &ForeignKey<'_>,
) -> Result<Kept, Stop> {
    let target = target_of(request, from, key)?;
    let Some(cut) = from.cut else {
        return match target {
            Found::Reference | Found::Itself => Ok(Kept::AsDeclared),
            Found::Fragmented(to) => Err(refuse(from, &to.name.name, REFERENCE_TO_CUT).into()),
            Found::Elsewhere => Err(refuse(from, &key.target.name, TO_HOME).into()),
        };
    };
    let (to_cut, to_key, to_name) = match &target {
        Found::Reference => return Ok(Kept::AsDeclared),
        Found::Elsewhere => return Err(refuse(from, &key.target.name, TO_HOME).into()),
        Found::Itself => (cut, from.key.to_vec(), from.name),
        Found::Fragmented(table) => match table.fragmentation() {
            Some(to_cut) => (to_cut, key_columns(table, to_cut), &table.name),
            None => return Ok(Kept::AsDeclared),
        },
    };
    if cut.method() != Method::Hash {
        return Err(refuse(from, &to_name.name, NOT_HASH).into());
    }
    if cut.family() != to_cut.family() {
        return Err(refuse(from, &to_name.name, OTHER_FAMILY).into());
    }
    let columns = match (&target, key.target_columns.is_empty(), from.primary_key) {
        (_, false, _) => key.target_columns.clone(),
        (Found::Itself, true, Some(own)) => own.to_vec(),
        _ => request.facts.primary_key(to_name)?,
    };
    let pairs = key.columns.iter().zip(&columns).collect::<Vec<_>>();
    if !from.key.iter().zip(&to_key).all(|pair| pairs.contains(&pair)) {
        return Err(refuse(from, &to_name.name, WITHOUT_KEY).into());
    }
    Ok(Kept::ByFragment(Target { fragmentation: to_cut.clone(), columns }))
}

/// Whether `name` is that of a table which lies on several nodes.
pub fn check_of_home(request: &Request<'_>, key: &ForeignKey<'_>) -> Result<(), Stop> {
    match request.table_named(&key.target)? {
        Named::Nothing | Named::Home => Ok(()),
        Named::Table(table) if table.fragmentation().is_none() => Ok(()),
        _ => Err(refuse_of_home(&key.target.name).into()),
    }
}

impl Target {
    /// Adds the constraint `name` to each fragment of `cut`, on the node where the fragment is.
    pub fn add(
        &self,
        request: &Request<'_>,
        script: &mut Script,
        cut: &Fragmentation,
        key: &ForeignKey<'_>,
        name: &str,
    ) {
        let tail = request.sql[key.tail.clone()].trim();
        for fragment in cut.fragments() {
            let bound = |other: &&herd_catalog::Fragment| other.bound == fragment.bound;
            let Some(target) = self.fragmentation.fragments().iter().find(bound) else {
                continue;
            };
            let statement = format!(
                "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) {tail}",
                fragment.name.quoted(),
                quote_identifier(name),
                column_list(&key.columns),
                target.name.quoted(),
                column_list(&self.columns),
            );
            script.on(fragment.primary, statement.trim_end());
        }
    }
}

/// The name that PostgreSQL would choose for a constraint on `table`, if none of `taken` is it.
pub fn choose_name(table: &TableName, key: &ForeignKey<'_>, taken: &[String]) -> String {
    let columns = key.columns.join("_");
    let candidates = (0..).map(|attempt: u32| {
        let label = if attempt == 0 { "fkey".to_owned() } else { format!("fkey{attempt}") };
        object_name(&table.name, &columns, &label)
    });
    let mut free = candidates.skip_while(|name| taken.contains(name));
    free.next().unwrap_or_default()
}

/// The names of the key columns of `table`.
pub fn key_columns(table: &Table, cut: &Fragmentation) -> Vec<String> {
    cut.key().iter().map(|key| table.columns[key.column].name.clone()).collect()
}

/// Where a leaf-level foreign key of `table` can be looked for: any of its fragments.
pub fn witness(cut: &Fragmentation) -> Option<(NodeId, &TableName)> {
    cut.fragments().first().map(|fragment| (fragment.primary, &fragment.name))
}

enum Found {
    Itself,
    Reference,
    Fragmented(std::sync::Arc<Table>),
    /// On the home node, or nowhere.
    Elsewhere,
}

fn target_of(
    request: &Request<'_>,
    from: &Referring<'_>,
    key: &ForeignKey<'_>,
) -> Result<Found, Stop> {
    let is_same_name = key.target.name == from.name.name;
    let schema = match &key.target.schema {
        Some(schema) => Some(schema.as_ref()),
        None if is_same_name => request.facts.creation_schema()?,
        None => None,
    };
    if is_same_name && schema == Some(from.name.schema.as_str()) {
        return Ok(Found::Itself);
    }
    Ok(match request.table_named(&key.target)? {
        Named::Table(table) if table.name == *from.name => Found::Itself,
        Named::Table(table) if table.fragmentation().is_none() => Found::Reference,
        Named::Table(table) => Found::Fragmented(table),
        _ => Found::Elsewhere,
    })
}

const REFERENCE_TO_CUT: &str =
    "A reference table is on every node, and the rows it would refer to are not.";
const TO_HOME: &str = "The table it refers to is on the home node alone.";
const NOT_HASH: &str =
    "Between tables fragmented by range or list, a foreign key would miss fragments added later.";
const OTHER_FAMILY: &str =
    "The two tables are fragmented differently, so that related rows lie on different nodes.";
const WITHOUT_KEY: &str = "It does not pair the columns of the fragment keys, so that related rows lie on different \
     nodes.";

fn refuse(from: &Referring<'_>, target: &str, why: &'static str) -> ClientError {
    let hint = match why {
        TO_HOME => "Make it a reference table: WITH (herd.reference = true).",
        OTHER_FAMILY => "Fragment both by the same columns into as many fragments.",
        WITHOUT_KEY => "Include the key columns of both tables, in the same order.",
        _ => "Leave the foreign key out.",
    };
    ClientError::unsupported(format!(
        "\"{}\" cannot have a foreign key to \"{target}\"",
        from.name.name
    ))
    .with_detail(why)
    .with_hint(hint)
}

fn refuse_of_home(target: &str) -> ClientError {
    ClientError::unsupported(format!(
        "a table of the home node cannot have a foreign key to \"{target}\", which is fragmented"
    ))
    .with_detail("The home node has only some of the rows it would refer to.")
    .with_hint("Fragment the referring table alike, or leave the foreign key out.")
}

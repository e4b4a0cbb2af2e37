//! One DDL statement on its way to a definition: its text, and all that is known about it.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use herd_catalog::{Catalog, Change, NodeRole, NodeStatus, Resolved, SearchPath, Table, TableName};
use herd_types::{ClientError, NodeId, SqlState};

use super::definition::{Atomic, Definition, Observe, Procedure, Publish, Script};
use super::facts::{Facts, Question, Relation, RelationKind, Stop};
use super::{Outcome, Planned, mentions};
use crate::cursor::{Cursor, Name};
use crate::lex::Token;

#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub sql: &'a str,
    pub tokens: &'a [Token],
    pub catalog: &'a Catalog,
    pub search_path: &'a SearchPath,
    pub auto_fragment: Option<&'a str>,
    pub facts: &'a Facts,
}

/// What a name in the statement means.
#[derive(Clone, Debug)]
pub enum Named {
    /// Nothing that is there.
    Nothing,
    /// A relation of the home node alone.
    Home,
    Table(Arc<Table>),
    /// The position of the fragment in its table's list.
    Fragment(Arc<Table>, usize),
    /// An index on a logical table, or a sequence that one of its columns owns.
    PartOf(Relation, Arc<Table>),
    /// The same of a single fragment.
    PartOfFragment(Relation, Arc<Table>),
}

impl<'a> Request<'a> {
    pub fn cursor(&self) -> Cursor<'a> {
        Cursor::new(self.sql.as_bytes(), self.tokens)
    }

    /// The statement without what stands before and after it.
    pub fn span(&self) -> Range<usize> {
        match (self.tokens.first(), self.tokens.last()) {
            (Some(first), Some(last)) => first.start as usize..last.end as usize,
            _ => 0..0,
        }
    }

    /// The statement as written.
    pub fn text(&self) -> &'a str {
        &self.sql[self.span()]
    }

    pub fn home(&self) -> NodeId {
        self.catalog.home()
    }

    /// Every node that holds, or is about to hold, what all nodes have in common.
    pub fn all_nodes(&self) -> Result<Vec<NodeId>, ClientError> {
        let mut nodes = Vec::new();
        for node in self.catalog.nodes().filter(|node| node.role == NodeRole::Primary) {
            match node.status {
                NodeStatus::Active | NodeStatus::Draining => nodes.push(node.id),
                NodeStatus::Down => return Err(node_down(&node.name)),
                NodeStatus::Joining | NodeStatus::Removed => {}
            }
        }
        Ok(nodes)
    }

    /// The nodes of [`Request::all_nodes`] except home.
    pub fn other_nodes(&self) -> Result<Vec<NodeId>, ClientError> {
        Ok(self.all_nodes()?.into_iter().filter(|&node| node != self.home()).collect())
    }

    /// Whether home is all there is.
    pub fn is_alone(&self) -> Result<bool, ClientError> {
        Ok(self.all_nodes()? == [self.home()])
    }

    /// The meaning of the name of a table, or of whatever else is selected from.
    pub fn table_named(&self, name: &Name<'_>) -> Result<Named, Stop> {
        if !self.catalog.knows_name(&name.name) {
            return Ok(Named::Nothing);
        }
        self.named(name)
    }

    /// The meaning of a name that may be any relation's, an index's among them.
    pub fn named(&self, name: &Name<'_>) -> Result<Named, Stop> {
        if !self.catalog.has_tables() {
            return Ok(Named::Nothing);
        }
        let Some(found) = self.facts.relation(name.schema.as_deref(), &name.name)? else {
            return Ok(self.fragment_elsewhere(name));
        };
        if let Some(named) = self.logical(&found.name) {
            return Ok(named);
        }
        let owner = found.of.as_ref().and_then(|owner| self.logical(owner));
        Ok(match (owner, found.kind) {
            (Some(Named::Table(table)), RelationKind::Index | RelationKind::Sequence) => {
                Named::PartOf(found, table)
            }
            (Some(Named::Fragment(table, _)), _) => Named::PartOfFragment(found, table),
            _ => Named::Home,
        })
    }

    /// Asks for all of `names` at once, so that looking at them one by one needs no more.
    pub fn ask_all(&self, names: &[Name<'_>]) -> Result<(), Stop> {
        if !self.catalog.has_tables() {
            return Ok(());
        }
        self.facts.require(names.iter().map(question_of).collect())
    }

    /// As [`Request::ask_all`], for those that can be tables of the catalog.
    pub fn ask_known(&self, names: &[Name<'_>]) -> Result<(), Stop> {
        let known = names.iter().filter(|name| self.catalog.knows_name(&name.name));
        self.facts.require(known.map(question_of).collect())
    }

    /// The logical tables and fragments that a query among `tokens` may name.
    pub fn mentioned(&self, tokens: &[Token]) -> BTreeSet<String> {
        mentions::in_query(self.sql.as_bytes(), tokens, &|name| self.catalog.knows_name(name))
    }

    /// Whether every logical table with this unqualified name is a reference table.
    pub fn is_reference(&self, word: &str) -> bool {
        let named = |table: &&Arc<Table>| {
            let fragments = table.fragmentation().map_or(&[][..], |cut| cut.fragments());
            table.name.name == word || fragments.iter().any(|part| part.name.name == word)
        };
        let mut tables = self.catalog.tables().filter(named);
        tables.all(|table| table.fragmentation().is_none())
    }

    /// What `name` is in the catalog.
    pub fn logical(&self, name: &TableName) -> Option<Named> {
        let nowhere = SearchPath::new([]);
        match self.catalog.resolve(&nowhere, Some(&name.schema), &name.name) {
            Resolved::Home => None,
            Resolved::Logical(table) => Some(Named::Table(Arc::clone(table))),
            Resolved::Fragment(table) => fragment_of(table, name),
        }
    }

    /// A fragment need not be on the home node.
    fn fragment_elsewhere(&self, name: &Name<'_>) -> Named {
        let resolve = |schema: &str| match self.logical(&TableName::new(schema, &*name.name)) {
            Some(named @ Named::Fragment(..)) => Some(named),
            _ => None,
        };
        let found = match &name.schema {
            Some(schema) => resolve(schema),
            None => self.search_path.schemas().find_map(resolve),
        };
        found.unwrap_or(Named::Nothing)
    }

    /// The schema in which this statement creates `name`.
    pub fn creation_name(&self, name: &Name<'_>) -> Result<TableName, Stop> {
        let schema = match &name.schema {
            Some(schema) => schema.as_ref(),
            None => self.facts.creation_schema()?.ok_or_else(no_creation_schema)?,
        };
        Ok(TableName::new(schema, &*name.name))
    }

    /// Whether `node` has it.
    pub fn is_on(&self, named: &Named, node: NodeId) -> bool {
        match named {
            Named::Nothing | Named::Home => node == self.home(),
            Named::Table(_) | Named::PartOf(..) => true,
            Named::Fragment(table, position) => {
                table.fragmentation().is_some_and(|cut| cut.fragments()[*position].primary == node)
            }
            Named::PartOfFragment(..) => false,
        }
    }

    /// The statement as it is, wherever the one relation that it is about is.
    pub fn wherever(&self, named: &Named, tag: &str, what: &str, observe: Observe) -> Planned {
        if matches!(named, Named::Nothing | Named::Home) {
            return self.at_home();
        }
        if let Named::PartOfFragment(relation, table) = named {
            return Err(refuse_part_of_fragment(&relation.name.name, &table.name.name).into());
        }
        let mut nodes = self.all_nodes()?;
        nodes.retain(|&node| self.is_on(named, node));
        let mut script = Script::default();
        script.on_each(&nodes, self.text());
        Ok(self.define(tag, what, script, Publish { observe, ..Publish::default() }))
    }

    /// The statement as it is, by the home node alone.
    pub fn at_home(&self) -> Planned {
        Ok(Outcome::Home)
    }

    /// The statement as it is, by the home node, which may change which names are shadowed.
    pub fn at_home_with_shadows(&self, tag: &str, what: &str) -> Planned {
        let mut script = Script::default();
        script.on(self.home(), self.text());
        let publish = Publish { shadows: true, ..Publish::default() };
        Ok(self.define(tag, what, script, publish))
    }

    pub fn define(&self, tag: &str, what: &str, script: Script, publish: Publish) -> Outcome {
        Outcome::Define(Box::new(Definition {
            tag: tag.to_owned(),
            summary: if what.is_empty() { tag.to_owned() } else { format!("{tag} {what}") },
            procedure: Procedure::Atomic(Atomic { script, publish }),
            notices: Vec::new(),
        }))
    }

    /// The catalog with `changes`: what they will have placed where.
    pub fn foresee(&self, changes: &[Change]) -> Result<Catalog, ClientError> {
        Ok(self.catalog.apply_all(changes)?)
    }
}

pub fn question_of(name: &Name<'_>) -> Question {
    let schema = name.schema.as_ref().map(|schema| schema.to_string());
    Question::Relation { schema, name: name.name.to_string() }
}

fn fragment_of(table: &Arc<Table>, name: &TableName) -> Option<Named> {
    let fragments = table.fragmentation()?.fragments();
    let position = fragments.iter().position(|fragment| fragment.name == *name)?;
    Some(Named::Fragment(Arc::clone(table), position))
}

pub fn refuse_fragment(what: &str, table: &Table) -> ClientError {
    ClientError::error(
        SqlState::WRONG_OBJECT_TYPE,
        format!("{what} cannot be used on a single fragment of \"{}\"", table.name.name),
    )
    .with_hint("Name the table itself: what is done to it is done to all its fragments.")
}

pub fn refuse_part_of_fragment(part: &str, table: &str) -> ClientError {
    ClientError::error(
        SqlState::WRONG_OBJECT_TYPE,
        format!("\"{part}\" belongs to a single fragment of \"{table}\""),
    )
    .with_hint("Name the index or constraint of the table itself: it covers all fragments.")
}

fn node_down(name: &str) -> ClientError {
    ClientError::error(
        SqlState::CANNOT_CONNECT_NOW,
        format!("node \"{name}\" is down, and this definition concerns every node"),
    )
    .with_hint("Repeat the statement when SHOW NODES lists the node as active.")
}

fn no_creation_schema() -> ClientError {
    ClientError::error(SqlState::UNDEFINED_SCHEMA, "no schema has been selected to create in")
}

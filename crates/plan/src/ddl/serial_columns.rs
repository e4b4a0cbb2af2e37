//! The sequences of serial columns: created before their table, so that they can be told how to
//! count, and given to it afterwards.

use herd_catalog::{TableName, quote_identifier};
use herd_types::NodeId;

use super::Stop;
use super::clauses::CreateTable;
use super::definition::Script;
use super::elements::Element;
use super::request::Request;
use super::serial::Stride;
use super::sql::{literal, object_name};
use super::types::DeclaredType;

/// Names that are tried for one sequence.
const CANDIDATES_MAX: u32 = 16;

/// The sequences of serial columns.
pub struct Sequences {
    of_columns: Vec<Sequence>,
}

pub struct Sequence {
    column: String,
    integer: &'static str,
    name: TableName,
}

impl Sequences {
    /// Names them as PostgreSQL would.
    pub fn choose(
        request: &Request<'_>,
        create: &CreateTable<'_>,
        table: &TableName,
    ) -> Result<Sequences, Stop> {
        let mut of_columns = Vec::new();
        for (_, element) in create.elements() {
            if let Element::Column(column) = element
                && let DeclaredType::Serial(integer) = column.declared
            {
                of_columns.push(Sequence::choose(request, table, &column.name, integer)?);
            }
        }
        Ok(Sequences { of_columns })
    }

    pub fn of(&self, column: &str) -> Option<&Sequence> {
        self.of_columns.iter().find(|sequence| sequence.column == column)
    }

    pub fn create(&self, script: &mut Script, node: NodeId, stride: &Stride) {
        for sequence in &self.of_columns {
            script.on(node, sequence.create_text(stride, node));
        }
    }

    pub fn give_away(&self, script: &mut Script, node: NodeId, table: &TableName) {
        for sequence in &self.of_columns {
            script.on(node, sequence.owner_text(table));
        }
    }
}

impl Sequence {
    pub fn choose(
        request: &Request<'_>,
        table: &TableName,
        column: &str,
        integer: &'static str,
    ) -> Result<Sequence, Stop> {
        let candidates = (0..CANDIDATES_MAX).map(|attempt| {
            let label = if attempt == 0 { "seq".to_owned() } else { format!("seq{attempt}") };
            object_name(&table.name, column, &label)
        });
        let mut candidates = candidates.collect::<Vec<_>>();
        let taken = request.facts.taken(&table.schema, candidates.clone())?;
        candidates.retain(|name| !taken.contains(name));
        let name = candidates.into_iter().next();
        let name = name.unwrap_or_else(|| object_name(&table.name, column, "seq"));
        let name = TableName::new(&table.schema, name);
        Ok(Sequence { column: column.to_owned(), integer, name })
    }

    pub fn create_text(&self, stride: &Stride, node: NodeId) -> String {
        let clauses = stride.serial_clauses(node);
        format!("CREATE SEQUENCE {} AS {} {clauses}", self.name.quoted(), self.integer)
    }

    pub fn default_clause(&self) -> String {
        let name = literal(&self.name.quoted());
        format!("DEFAULT pg_catalog.nextval({name}::pg_catalog.regclass) NOT NULL")
    }

    pub fn owner_text(&self, table: &TableName) -> String {
        let column = quote_identifier(&self.column);
        format!("ALTER SEQUENCE {} OWNED BY {}.{column}", self.name.quoted(), table.quoted())
    }
}

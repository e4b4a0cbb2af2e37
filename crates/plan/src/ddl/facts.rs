//! What the text and the catalog do not tell, and the home node does: which relation a name
//! means, where an unqualified CREATE goes, which function is volatile.
//!
//! Planning asks for what it needs and starts over with the answer, so that what is planned rests
//! on facts and not on guesses. Every question is one query, and every name in it that is not the
//! client's own is qualified: it runs under the client's search_path.

use std::collections::BTreeMap;

use herd_catalog::{TableName, quote_identifier};
use herd_types::{ClientError, NodeId};

use super::reshape;
use super::sql::literal;

/// Rows in text form.
pub type Rows = Vec<Vec<Option<String>>>;

/// One query, to be answered with the client's role and settings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Which relation a name means on the home node.
    Relation { schema: Option<String>, name: String },
    /// Which of these names are those of relations in this schema.
    Taken { schema: String, names: Vec<String> },
    /// The schema in which an unqualified CREATE makes its object.
    CreationSchema,
    /// The columns of a table's primary key, in order.
    PrimaryKey(TableName),
    /// How volatile the functions of these names are.
    Volatility(Vec<String>),
    /// What an expression gives now, as a value of a type, both in the client's words.
    Value { expression: String, type_name: String },
    /// Whether `table`, a fragment on `node`, has a foreign key called `name`.
    ForeignKey { node: NodeId, table: TableName, name: String },
    /// Functions whose source contains this word.
    FunctionsNaming(String),
    /// All that `node`, or home, knows of a table.
    Description { node: Option<NodeId>, table: TableName },
}

/// The answers so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    answers: BTreeMap<Question, Rows>,
}

/// Why planning came to no result.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    Refused(ClientError),
    /// The answers to these are needed first.
    Ask(Vec<Question>),
}

/// A relation of the home node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    pub name: TableName,
    pub kind: RelationKind,
    /// The table of an index, or the one that owns a sequence.
    pub of: Option<TableName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationKind {
    Table,
    Index,
    Sequence,
    View,
    Other,
}

/// Whether an expression gives the same everywhere and at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volatility {
    Immutable,
    /// The same throughout a statement.
    Stable,
    Volatile,
}

impl Volatility {
    fn of_letter(letter: &str) -> Volatility {
        match letter {
            "i" => Volatility::Immutable,
            "s" => Volatility::Stable,
            _ => Volatility::Volatile,
        }
    }
}

/// A function and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSource {
    pub name: String,
    pub source: String,
}

impl Question {
    /// Who is asked.
    #[must_use]
    pub fn node(&self, home: NodeId) -> NodeId {
        match self {
            Question::ForeignKey { node, .. } | Question::Description { node: Some(node), .. } => {
                *node
            }
            Question::Relation { .. }
            | Question::Taken { .. }
            | Question::CreationSchema
            | Question::PrimaryKey(_)
            | Question::Volatility(_)
            | Question::Value { .. }
            | Question::FunctionsNaming(_)
            | Question::Description { node: None, .. } => home,
        }
    }

    #[must_use]
    pub fn sql(&self) -> String {
        match self {
            Question::Relation { schema, name } => relation_sql(schema.as_deref(), name),
            Question::Taken { schema, names } => taken_sql(schema, names),
            Question::CreationSchema => "SELECT pg_catalog.current_schema()".to_owned(),
            Question::PrimaryKey(table) => primary_key_sql(table),
            Question::Volatility(names) => volatility_sql(names),
            Question::Value { expression, type_name } => {
                format!("SELECT CAST(CAST(({expression}) AS {type_name}) AS pg_catalog.text)")
            }
            Question::ForeignKey { table, name, .. } => foreign_key_sql(table, name),
            Question::FunctionsNaming(word) => functions_naming_sql(word),
            Question::Description { table, .. } => reshape::description_sql(table),
        }
    }
}

impl Facts {
    pub fn learn(&mut self, question: Question, rows: Rows) {
        self.answers.insert(question, rows);
    }

    pub(super) fn relation(
        &self,
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<Relation>, Stop> {
        let question =
            Question::Relation { schema: schema.map(str::to_owned), name: name.to_owned() };
        Ok(self.rows(question)?.first().and_then(|row| read_relation(row)))
    }

    /// All of `questions` that are still open, asked at once.
    pub(super) fn require(&self, questions: Vec<Question>) -> Result<(), Stop> {
        let open = questions.into_iter().filter(|question| !self.answers.contains_key(question));
        let open = open.collect::<Vec<_>>();
        if open.is_empty() { Ok(()) } else { Err(Stop::Ask(open)) }
    }

    /// Those of `names` that relations of `schema` bear.
    pub(super) fn taken(&self, schema: &str, names: Vec<String>) -> Result<Vec<String>, Stop> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.rows(Question::Taken { schema: schema.to_owned(), names })?;
        Ok(first_column(rows).map(str::to_owned).collect())
    }

    /// `None`: there is no schema to create in, as the server will say.
    pub(super) fn creation_schema(&self) -> Result<Option<&str>, Stop> {
        Ok(first_column(self.rows(Question::CreationSchema)?).next())
    }

    pub(super) fn primary_key(&self, table: &TableName) -> Result<Vec<String>, Stop> {
        let rows = self.rows(Question::PrimaryKey(table.clone()))?;
        Ok(first_column(rows).map(str::to_owned).collect())
    }

    /// The highest volatility of any function called so.
    pub(super) fn volatility(&self, names: Vec<String>) -> Result<Volatility, Stop> {
        if names.is_empty() {
            return Ok(Volatility::Immutable);
        }
        let rows = self.rows(Question::Volatility(names))?;
        Ok(first_column(rows).map(Volatility::of_letter).max().unwrap_or(Volatility::Immutable))
    }

    /// `None` is NULL.
    pub(super) fn value(&self, expression: &str, type_name: &str) -> Result<Option<String>, Stop> {
        let question =
            Question::Value { expression: expression.to_owned(), type_name: type_name.to_owned() };
        Ok(first_column(self.rows(question)?).next().map(str::to_owned))
    }

    pub(super) fn has_foreign_key(
        &self,
        node: NodeId,
        table: &TableName,
        name: &str,
    ) -> Result<bool, Stop> {
        let question = Question::ForeignKey { node, table: table.clone(), name: name.to_owned() };
        Ok(!self.rows(question)?.is_empty())
    }

    pub(super) fn functions_naming(&self, word: &str) -> Result<Vec<FunctionSource>, Stop> {
        let rows = self.rows(Question::FunctionsNaming(word.to_owned()))?;
        let read = |row: &Vec<Option<String>>| {
            let [Some(name), Some(source)] = &row[..] else { return None };
            Some(FunctionSource { name: name.clone(), source: source.clone() })
        };
        Ok(rows.iter().filter_map(read).collect())
    }

    /// As [`reshape::description_sql`] asks for it.
    pub(super) fn description(
        &self,
        node: Option<NodeId>,
        table: &TableName,
    ) -> Result<&Rows, Stop> {
        self.rows(Question::Description { node, table: table.clone() })
    }

    fn rows(&self, question: Question) -> Result<&Rows, Stop> {
        match self.answers.get(&question) {
            Some(rows) => Ok(rows),
            None => Err(Stop::Ask(vec![question])),
        }
    }
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Stop {
        Stop::Refused(error)
    }
}

fn first_column(rows: &Rows) -> impl Iterator<Item = &str> {
    rows.iter().filter_map(|row| row.first()?.as_deref())
}

fn read_relation(row: &[Option<String>]) -> Option<Relation> {
    let [Some(schema), Some(name), Some(kind), of_schema, of_name] = row else {
        return None;
    };
    let kind = match kind.as_str() {
        "r" | "p" | "f" => RelationKind::Table,
        "i" | "I" => RelationKind::Index,
        "S" => RelationKind::Sequence,
        "v" | "m" => RelationKind::View,
        _ => RelationKind::Other,
    };
    let of = of_schema.as_deref().zip(of_name.as_deref());
    let of = of.map(|(schema, name)| TableName::new(schema, name));
    Some(Relation { name: TableName::new(schema, name), kind, of })
}

/// The text of a name as `to_regclass` reads it.
fn regclass_text(schema: Option<&str>, name: &str) -> String {
    let name = quote_identifier(name);
    literal(&match schema {
        Some(schema) => format!("{}.{name}", quote_identifier(schema)),
        None => name,
    })
}

fn relation_sql(schema: Option<&str>, name: &str) -> String {
    let name = regclass_text(schema, name);
    format!(
        "SELECT s.nspname, c.relname, c.relkind, os.nspname, o.relname \
         FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) c.relnamespace \
         LEFT JOIN pg_catalog.pg_index i ON i.indexrelid OPERATOR(pg_catalog.=) c.oid \
         LEFT JOIN pg_catalog.pg_depend d \
         ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass \
         AND d.objid OPERATOR(pg_catalog.=) c.oid AND c.relkind OPERATOR(pg_catalog.=) 'S' \
         AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass \
         AND d.refobjsubid OPERATOR(pg_catalog.>) 0 \
         LEFT JOIN pg_catalog.pg_class o \
         ON o.oid OPERATOR(pg_catalog.=) COALESCE(i.indrelid, d.refobjid) \
         LEFT JOIN pg_catalog.pg_namespace os ON os.oid OPERATOR(pg_catalog.=) o.relnamespace \
         WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({name})"
    )
}

fn taken_sql(schema: &str, names: &[String]) -> String {
    let names = names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ");
    let schema = literal(schema);
    format!(
        "SELECT c.relname FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) c.relnamespace \
         WHERE s.nspname OPERATOR(pg_catalog.=) {schema} \
         AND c.relname OPERATOR(pg_catalog.=) ANY (ARRAY[{names}]::pg_catalog.name[])"
    )
}

fn primary_key_sql(table: &TableName) -> String {
    let table = regclass_text(Some(&table.schema), &table.name);
    format!(
        "SELECT a.attname FROM pg_catalog.pg_constraint c \
         CROSS JOIN LATERAL pg_catalog.unnest(c.conkey) WITH ORDINALITY AS k(attnum, place) \
         JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.conrelid \
         AND a.attnum OPERATOR(pg_catalog.=) k.attnum \
         WHERE c.contype OPERATOR(pg_catalog.=) 'p' \
         AND c.conrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({table}) ORDER BY k.place"
    )
}

fn volatility_sql(names: &[String]) -> String {
    let names = names.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ");
    format!(
        "SELECT DISTINCT p.provolatile FROM pg_catalog.pg_proc p \
         WHERE p.proname OPERATOR(pg_catalog.=) ANY (ARRAY[{names}]::pg_catalog.name[])"
    )
}

fn foreign_key_sql(table: &TableName, name: &str) -> String {
    let table = regclass_text(Some(&table.schema), &table.name);
    let name = literal(name);
    format!(
        "SELECT 1 FROM pg_catalog.pg_constraint c \
         WHERE c.conrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({table}) \
         AND c.contype OPERATOR(pg_catalog.=) 'f' \
         AND c.conparentid OPERATOR(pg_catalog.=) 0 \
         AND c.conname OPERATOR(pg_catalog.=) {name}"
    )
}

/// Functions of the server itself and of extensions know nothing of a client's tables.
fn functions_naming_sql(word: &str) -> String {
    let word = literal(&word.to_lowercase());
    format!(
        "SELECT p.oid::pg_catalog.regprocedure, p.prosrc FROM pg_catalog.pg_proc p \
         WHERE pg_catalog.strpos(pg_catalog.lower(p.prosrc), {word}) OPERATOR(pg_catalog.>) 0 \
         AND p.pronamespace OPERATOR(pg_catalog.<>) ALL (ARRAY['pg_catalog', \
         'information_schema']::pg_catalog.regnamespace[]) \
         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d \
         WHERE d.objid OPERATOR(pg_catalog.=) p.oid AND d.deptype OPERATOR(pg_catalog.=) 'e')"
    )
}

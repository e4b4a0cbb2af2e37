//! How changes of a table are noted while it is copied, and brought to its twin.
//!
//! Only keys are noted: whatever has happened to the rows of a key, the twin gets those that are
//! there by now. So the order of changes does not matter, and repeating does no harm. The key is
//! the primary key; of a table without one, the fragment key, or a whole row.

use herd_catalog::{KeyType, TableName, quote_identifier};
use herd_types::NodeId;

use super::names::Names;
use super::shape::Shape;
use super::steps::{Copying, Placing};
use crate::ddl::definition::Script;
use crate::ddl::sql::{column_list, literal};

pub struct Changes<'a> {
    table: &'a TableName,
    names: &'a Names,
    shape: &'a Shape,
    /// The columns by which rows are found again.
    key: Vec<String>,
}

impl<'a> Changes<'a> {
    /// `fallback` is the key of a table without a primary key; when empty, whole rows are.
    pub fn new(
        table: &'a TableName,
        names: &'a Names,
        shape: &'a Shape,
        fallback: &[String],
    ) -> Changes<'a> {
        let key = match shape.primary_key() {
            Some(key) => key.to_vec(),
            None if fallback.is_empty() => shape.written().cloned().collect(),
            None => fallback.to_vec(),
        };
        Changes { table, names, shape, key }
    }

    /// From now on changes are noted on `nodes`, whoever makes them.
    pub fn begin(&self, script: &mut Script, sources: &[NodeId], targets: &[NodeId]) {
        let log = self.key_table(&self.names.log(), ", truncated boolean");
        let stale = self.key_table(&self.names.stale(), "");
        script.on_each(targets, stale);
        script.on_each(sources, log);
        // Whoever writes waits for it, and it for whoever has written.
        script.on_each(sources, "SET LOCAL lock_timeout = '1s'");
        script.on_each(sources, self.function());
        let (table, function) = (self.table.quoted(), self.names.function().quoted());
        let (rows, truncate) = (self.names.row_trigger(), self.names.truncate_trigger());
        for text in [
            format!(
                "CREATE TRIGGER {rows} AFTER INSERT OR UPDATE OR DELETE ON {table} \
                 FOR EACH ROW EXECUTE FUNCTION {function}()"
            ),
            format!(
                "CREATE TRIGGER {truncate} AFTER TRUNCATE ON {table} \
                 FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
            ),
            format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {rows}"),
            format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {truncate}"),
        ] {
            script.on_each(sources, text);
        }
    }

    /// Nothing is noted any more, and what was is forgotten. Harmless to repeat.
    pub fn undo(&self, script: &mut Script, sources: &[NodeId], targets: &[NodeId]) {
        let table = self.table.quoted();
        for trigger in [self.names.row_trigger(), self.names.truncate_trigger()] {
            script.on_each(sources, format!("DROP TRIGGER IF EXISTS {trigger} ON {table}"));
        }
        self.end(script, sources, targets);
    }

    /// The same once the table itself is gone, or has lost its triggers.
    pub fn end(&self, script: &mut Script, sources: &[NodeId], targets: &[NodeId]) {
        let function = self.names.function().quoted();
        script.on_each(sources, format!("DROP FUNCTION IF EXISTS {function}()"));
        let drop = |name: TableName| format!("DROP TABLE IF EXISTS {}", name.quoted());
        script.on_each(sources, drop(self.names.log()));
        script.on_each(targets, drop(self.names.stale()));
    }

    pub fn copying(&self, sources: &[NodeId], targets: &[NodeId], placing: Placing) -> Copying {
        let (table, twin) = (self.table.quoted(), self.names.twin().quoted());
        let (log, stale) = (self.names.log().quoted(), self.names.stale().quoted());
        let columns = column_list(self.shape.written());
        let of_table = self.shape.written().map(|name| format!("t.{}", quote_identifier(name)));
        let of_table = of_table.collect::<Vec<_>>().join(", ");
        let keys = self.places().collect::<Vec<_>>().join(", ");
        let matches = self.matches();
        Copying {
            sources: sources.to_vec(),
            targets: targets.to_vec(),
            placing,
            by_index: self.is_exact(),
            read_all: format!("COPY (SELECT {columns} FROM {table}) TO STDOUT"),
            read_keys: format!(
                "COPY (SELECT DISTINCT {keys} FROM {log} WHERE truncated IS NULL) TO STDOUT"
            ),
            read_changed: format!(
                "COPY (SELECT {of_table} FROM {table} AS t JOIN (SELECT DISTINCT {keys} \
                 FROM {log} WHERE truncated IS NULL) AS k ON {matches}) TO STDOUT"
            ),
            forget_keys: format!("DELETE FROM {log}"),
            was_truncated: format!("SELECT 1 FROM {log} WHERE truncated LIMIT 1"),
            write_rows: format!("COPY {twin} ({columns}) FROM STDIN"),
            write_keys: format!("COPY {stale} FROM STDIN"),
            take_out: vec![
                format!("DELETE FROM {twin} AS t USING {stale} AS k WHERE {matches}"),
                format!("DELETE FROM {stale}"),
            ],
            clear: format!("TRUNCATE {twin}"),
        }
    }

    fn places(&self) -> impl Iterator<Item = String> {
        (1..=self.key.len()).map(|place| format!("k{place}"))
    }

    fn key_table(&self, name: &TableName, more: &str) -> String {
        let column = |(place, column): (String, &String)| {
            let found = self.shape.column(column);
            let type_name = found.map_or("pg_catalog.text", |found| found.type_name.as_str());
            let collation = found.and_then(|found| found.collation.as_ref());
            let collation = collation.map(|name| format!(" COLLATE {name}")).unwrap_or_default();
            format!("{place} {type_name}{collation}")
        };
        let columns = self.places().zip(&self.key).map(column).collect::<Vec<_>>().join(", ");
        format!("CREATE TABLE {} ({columns}{more})", name.quoted())
    }

    /// It writes as the owner, wherever a change comes from.
    fn function(&self) -> String {
        let log = self.names.log().quoted();
        let places = self.places().collect::<Vec<_>>().join(", ");
        let of = |row: &str| {
            let fields = self.key.iter().map(|name| format!("{row}.{}", quote_identifier(name)));
            fields.collect::<Vec<_>>().join(", ")
        };
        let body = format!(
            "BEGIN \
             IF TG_OP = 'TRUNCATE' THEN INSERT INTO {log} (truncated) VALUES (true); RETURN NULL; \
             END IF; \
             IF TG_OP <> 'INSERT' THEN INSERT INTO {log} ({places}) VALUES ({}); END IF; \
             IF TG_OP <> 'DELETE' THEN INSERT INTO {log} ({places}) VALUES ({}); END IF; \
             RETURN NULL; END",
            of("OLD"),
            of("NEW"),
        );
        format!(
            "CREATE FUNCTION {}() RETURNS pg_catalog.trigger LANGUAGE plpgsql SECURITY DEFINER \
             SET search_path = pg_catalog, pg_temp AS {}",
            self.names.function().quoted(),
            literal(&body),
        )
    }

    /// Whether the key is a primary key of types that are compared alike everywhere: then its index
    /// finds the rows.
    fn is_exact(&self) -> bool {
        self.shape.primary_key().is_some()
            && self.key.iter().all(|name| {
                let column = self.shape.column(name);
                column.is_some_and(|it| KeyType::from_type_name(&it.type_name).is_some())
            })
    }

    /// Whether row `t` has key `k`. Where indexes cannot help, equal means printed alike, which
    /// any type can tell.
    fn matches(&self) -> String {
        let is_exact = self.is_exact();
        let one = |(place, name): (String, &String)| {
            let name = quote_identifier(name);
            match is_exact {
                true => format!("t.{name} OPERATOR(pg_catalog.=) k.{place}"),
                false => format!(
                    "(t.{name} IS NULL) OPERATOR(pg_catalog.=) (k.{place} IS NULL) \
                     AND COALESCE(t.{name}::pg_catalog.text, '') OPERATOR(pg_catalog.=) \
                     COALESCE(k.{place}::pg_catalog.text, '')"
                ),
            }
        };
        self.places().zip(&self.key).map(one).collect::<Vec<_>>().join(" AND ")
    }
}

//! What Herd makes beside a table while it is reshaped, by name. All of it lies in the table's own
//! schema and is gone afterwards.

use herd_catalog::TableName;
use herd_types::TableId;

use super::describe::OWN_PREFIX;

/// The names of one reshaping, told from any other's by the id that the table is to have.
pub struct Names {
    schema: String,
    stem: String,
}

impl Names {
    pub fn new(table: &TableName, id: TableId) -> Names {
        Names { schema: table.schema.clone(), stem: format!("{OWN_PREFIX}{}", id.0) }
    }

    /// The table that is to take the place of the other.
    pub fn twin(&self) -> TableName {
        self.in_schema(self.stem.clone())
    }

    /// Keys of rows that have changed, on the sources.
    pub fn log(&self) -> TableName {
        self.labelled("log")
    }

    /// The same keys, brought to the targets.
    pub fn stale(&self) -> TableName {
        self.labelled("stale")
    }

    /// The trigger function that writes the log.
    pub fn function(&self) -> TableName {
        self.labelled("note")
    }

    /// Triggers, which have no schema.
    pub fn row_trigger(&self) -> String {
        format!("{}_rows", self.stem)
    }

    pub fn truncate_trigger(&self) -> String {
        format!("{}_truncate", self.stem)
    }

    pub fn index(&self, place: usize) -> TableName {
        self.labelled(&format!("index_{place}"))
    }

    pub fn sequence(&self, place: usize) -> TableName {
        self.labelled(&format!("sequence_{place}"))
    }

    fn labelled(&self, label: &str) -> TableName {
        self.in_schema(format!("{}_{label}", self.stem))
    }

    fn in_schema(&self, name: String) -> TableName {
        TableName::new(&self.schema, name)
    }
}

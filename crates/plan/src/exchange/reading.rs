//! What nodes are asked for.

use herd_catalog::{Catalog, Table, quote_identifier};

use super::aggregate::{group_by, part_name};
use super::source::Source;
use super::{Brought, First, Groups, Reading, Rows};

impl Brought {
    /// What the nodes are asked for, by a statement with this text.
    #[must_use]
    pub fn reading(&self, sql: &[u8], catalog: &Catalog) -> Option<Reading> {
        let source = Source::read(sql, &self.omitted)?;
        let mut reading = Reading { text: self.head(&source, catalog)?, parameters: Vec::new() };
        let Some(reduction) = &self.reduction else {
            self.filter.put(&source, catalog, self.table(catalog)?, &mut reading)?;
            return Some(reading);
        };
        if let Some(filter) = &reduction.filter {
            reading.text.extend_from_slice(b" WHERE ");
            source.put(filter.clone(), &mut reading)?;
        }
        match &reduction.rows {
            Rows::All => {}
            Rows::First(first) => first.put(&source, &mut reading)?,
            Rows::Groups(groups) => {
                reading.text.extend_from_slice(&groups.by(self.table(catalog)?)?)
            }
        }
        for lock in &reduction.locks {
            reading.text.push(b' ');
            source.put(lock.clone(), &mut reading)?;
        }
        Some(reading)
    }

    /// A query with the same columns, whatever its rows, and no parameters.
    #[must_use]
    pub fn shape(&self, sql: &[u8], catalog: &Catalog) -> Option<Vec<u8>> {
        let mut shape = self.head(&Source::read(sql, &self.omitted)?, catalog)?;
        if let Some(Rows::Groups(groups)) = self.reduction.as_ref().map(|it| &it.rows) {
            shape.extend_from_slice(&groups.by(self.table(catalog)?)?);
        }
        Some(shape)
    }

    /// SELECT and FROM.
    fn head(&self, source: &Source<'_>, catalog: &Catalog) -> Option<Vec<u8>> {
        let table = self.table(catalog)?;
        let list = match self.reduction.as_ref().map(|reduction| &reduction.rows) {
            Some(Rows::Groups(groups)) => groups.parts(table, source)?,
            _ => quoted(&self.columns, table)?.join(", ").into_bytes(),
        };
        let mut from = format!(" FROM {}", table.name.quoted());
        if let Some(reduction) = &self.reduction {
            from += &format!(" AS {}", quote_identifier(&reduction.name));
        }
        Some([b"SELECT ", list.as_slice(), from.as_bytes()].concat())
    }

    pub(super) fn table<'c>(&self, catalog: &'c Catalog) -> Option<&'c Table> {
        catalog.table(self.table).map(|table| &**table)
    }
}

/// The names of columns.
pub(super) fn quoted(columns: &[usize], table: &Table) -> Option<Vec<String>> {
    let column = |&column: &usize| table.columns.get(column);
    columns.iter().map(|it| column(it).map(|column| quote_identifier(&column.name))).collect()
}

impl First {
    fn put(&self, source: &Source<'_>, reading: &mut Reading) -> Option<()> {
        if let Some(order) = &self.order {
            reading.text.extend_from_slice(b" ORDER BY ");
            source.put(order.clone(), reading)?;
        }
        reading.text.extend_from_slice(b" LIMIT ");
        source.put(self.limit..self.limit + 1, reading)?;
        reading.text.extend_from_slice(b"::pg_catalog.int8");
        if let Some(offset) = self.offset {
            reading.text.extend_from_slice(b" + ");
            source.put(offset..offset + 1, reading)?;
            reading.text.extend_from_slice(b"::pg_catalog.int8");
        }
        Some(())
    }
}

impl Groups {
    /// The select list of what one node computes.
    fn parts(&self, table: &Table, source: &Source<'_>) -> Option<Vec<u8>> {
        let columns = quoted(&self.columns, table)?;
        let mut items: Vec<Vec<u8>> = columns.into_iter().map(String::into_bytes).collect();
        for (place, aggregate) in self.aggregates.iter().enumerate() {
            let mut argument = Reading::default();
            source.put(aggregate.argument.clone(), &mut argument)?;
            for (function, part) in aggregate.function.parts() {
                let head = format!("{function}(");
                let tail = format!(") AS {}", part_name(place, part));
                items.push([head.as_bytes(), &argument.text, tail.as_bytes()].concat());
            }
        }
        Some(items.join(&b", "[..]))
    }

    fn by(&self, table: &Table) -> Option<Vec<u8>> {
        Some(group_by(&quoted(&self.columns, table)?).into_bytes())
    }
}

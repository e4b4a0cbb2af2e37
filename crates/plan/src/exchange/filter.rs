//! Which rows of a table are brought for a query of several tables.

use std::ops::Range;

use herd_catalog::{Catalog, Table, quote_identifier};
use herd_types::TableId;

use super::Reading;
use super::source::Source;

/// Texts that stand for a moment, as dates and times: it would be another on each node.
const MOMENTS: &[&str] = &["now", "today", "tomorrow", "yesterday"];

/// Rows count for which any of the alternatives is true, one for each place where the table is read;
/// all do if there are none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) alternatives: Vec<Conjunction>,
}

/// Everything that is true of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conjunction {
    /// Tokens of conditions on the table alone.
    pub(crate) conditions: Vec<Range<usize>>,
    pub(crate) partners: Vec<Partner>,
}

/// A table that has a row beside it, on the same node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partner {
    pub(crate) table: TableId,
    /// Columns that are equal: the row's, and the partner's.
    pub(crate) equal: Vec<(usize, usize)>,
    /// What is true of the partner.
    pub(crate) those: Conjunction,
}

impl Filter {
    /// Whether rows are left out, and not for want of partners only.
    pub(crate) fn has_conditions(&self) -> bool {
        !self.alternatives.is_empty()
            && self.alternatives.iter().all(|conjunction| !conjunction.conditions.is_empty())
    }

    /// Rows for which another alternative is true count as well.
    pub(crate) fn add(&mut self, conjunction: Conjunction, table: TableId) {
        if self.alternatives.iter().any(|known| known.follows_from(&conjunction, table)) {
            return;
        }
        self.alternatives.retain(|known| !conjunction.follows_from(known, table));
        self.alternatives.push(conjunction);
    }

    /// ` AS name WHERE …`, unless all rows count.
    pub(super) fn put(
        &self,
        source: &Source<'_>,
        catalog: &Catalog,
        table: &Table,
        reading: &mut Reading,
    ) -> Option<()> {
        if self.alternatives.is_empty() || !self.alternatives.iter().all(|it| it.is_steady(source))
        {
            return Some(());
        }
        let mut joint = format!(" AS {} WHERE ", name(0));
        for conjunction in &self.alternatives {
            reading.text.extend_from_slice(joint.as_bytes());
            conjunction.put(source, catalog, table, 0, reading)?;
            joint = " OR ".to_owned();
        }
        Some(())
    }
}

impl Conjunction {
    pub(crate) fn is_empty(&self) -> bool {
        self.conditions.is_empty() && self.partners.is_empty()
    }

    /// Whether it is true of every row of `table` of which `other` is.
    fn follows_from(&self, other: &Conjunction, table: TableId) -> bool {
        let is_itself = |partner: &Partner| {
            partner.table == table
                && partner.equal.iter().all(|(own, its)| own == its)
                && partner.those.follows_from(other, table)
        };
        self.conditions.iter().all(|it| other.conditions.contains(it))
            && self.partners.iter().all(|it| other.partners.contains(it) || is_itself(it))
    }

    fn is_steady(&self, source: &Source<'_>) -> bool {
        self.conditions.iter().all(|tokens| !source.has_text(tokens.clone(), MOMENTS))
            && self.partners.iter().all(|partner| partner.those.is_steady(source))
    }

    fn put(
        &self,
        source: &Source<'_>,
        catalog: &Catalog,
        table: &Table,
        depth: usize,
        reading: &mut Reading,
    ) -> Option<()> {
        let mut joint = "(";
        for condition in &self.conditions {
            reading.text.extend_from_slice(joint.as_bytes());
            reading.text.push(b'(');
            source.put_unqualified(condition.clone(), reading)?;
            reading.text.push(b')');
            joint = " AND ";
        }
        for partner in &self.partners {
            reading.text.extend_from_slice(joint.as_bytes());
            partner.put(source, catalog, table, depth + 1, reading)?;
            joint = " AND ";
        }
        reading.text.push(b')');
        Some(())
    }
}

impl Partner {
    fn put(
        &self,
        source: &Source<'_>,
        catalog: &Catalog,
        beside: &Table,
        depth: usize,
        reading: &mut Reading,
    ) -> Option<()> {
        let table = catalog.table(self.table)?;
        let (own, other) = (name(depth), name(depth - 1));
        reading.text.extend_from_slice(
            format!("EXISTS (SELECT FROM {} AS {own} WHERE ", table.name.quoted()).as_bytes(),
        );
        for &(others, owns) in &self.equal {
            let owns = quote_identifier(&table.columns.get(owns)?.name);
            let others = quote_identifier(&beside.columns.get(others)?.name);
            let equal = format!("{own}.{owns} = {other}.{others} AND ");
            reading.text.extend_from_slice(equal.as_bytes());
        }
        self.those.put(source, catalog, table, depth, reading)?;
        reading.text.push(b')');
        Some(())
    }
}

/// What a table is called: names of its columns alone are the innermost table's.
fn name(depth: usize) -> String {
    format!("\"herd {depth}\"")
}

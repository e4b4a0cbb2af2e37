//! The statement over what was brought.

use herd_catalog::{Catalog, Table, quote_identifier};
use herd_types::TableId;

use super::aggregate::{group_by, whole_name};
use super::reading::quoted;
use super::source::{Edit, Source};
use super::{Brought, Exchange, Form, Groups, Reading, Rows};

impl Exchange {
    /// The statement over what was brought: `called` tells the name that stands for a table.
    #[must_use]
    pub fn rewritten(
        &self,
        sql: &[u8],
        catalog: &Catalog,
        called: impl Fn(TableId) -> String,
    ) -> Option<Reading> {
        let source = Source::read(sql, &self.omitted)?;
        let mut edits: Vec<Edit> = Vec::new();
        for brought in &self.brought {
            brought.edit(&source, catalog, &called(brought.table), &mut edits)?;
        }
        source.edited(edits)
    }
}

impl Brought {
    fn edit(
        &self,
        source: &Source<'_>,
        catalog: &Catalog,
        called: &str,
        edits: &mut Vec<Edit>,
    ) -> Option<()> {
        let table = self.table(catalog)?;
        if let Some(reduction) = &self.reduction
            && let Rows::Groups(groups) = &reduction.rows
        {
            let own_name = quote_identifier(&reduction.name);
            let together = groups.together(called, &own_name, table)?;
            for mention in &self.mentions {
                let end = match mention.form {
                    Form::Aliased => source.end_of_alias(mention.tokens.end),
                    Form::Plain | Form::Command => mention.tokens.end,
                };
                edits.push((source.span(mention.tokens.start..end)?, together.clone()));
            }
            return groups.edit(source, edits);
        }
        for lock in self.reduction.iter().flat_map(|reduction| &reduction.locks) {
            edits.push((source.span(lock.clone())?, String::new()));
        }
        for mention in &self.mentions {
            let own_name = source.text(mention.tokens.end - 1..mention.tokens.end)?;
            let own_name = String::from_utf8_lossy(own_name);
            let instead = match mention.form {
                Form::Aliased => called.to_owned(),
                Form::Plain => format!("{called} AS {own_name}"),
                Form::Command => format!("SELECT * FROM {called} AS {own_name}"),
            };
            edits.push((source.span(mention.tokens.clone())?, instead));
        }
        Some(())
    }
}

impl Groups {
    /// The parts put together, under the names by which the query speaks of them. An aggregate is a
    /// column of its own name, as which it would be told to the client.
    fn together(&self, called: &str, own_name: &str, table: &Table) -> Option<String> {
        let columns = quoted(&self.columns, table)?;
        let by = group_by(&columns);
        let wholes = self.aggregates.iter().enumerate().map(|(place, aggregate)| {
            format!("{} AS {}", aggregate.function.whole(place), whole_name(place))
        });
        let list: Vec<String> = columns.into_iter().chain(wholes).collect();
        let mut text = format!("(SELECT {} FROM {called}{by}) AS {own_name}", list.join(", "));
        for (place, aggregate) in self.aggregates.iter().enumerate() {
            let (whole, name) = (whole_name(place), aggregate.function.name());
            text += &format!(
                " CROSS JOIN LATERAL (SELECT {own_name}.{whole} AS \"{name}\") AS {whole}"
            );
        }
        Some(text)
    }

    fn edit(&self, source: &Source<'_>, edits: &mut Vec<Edit>) -> Option<()> {
        for done in &self.done {
            edits.push((source.span(done.clone())?, String::new()));
        }
        if let Some(having) = self.having {
            edits.push((source.span(having..having + 1)?, "WHERE".to_owned()));
        }
        for (place, aggregate) in self.aggregates.iter().enumerate() {
            let whole = format!("{}.\"{}\"", whole_name(place), aggregate.function.name());
            edits.push((source.span(aggregate.tokens.clone())?, whole));
        }
        Some(())
    }
}

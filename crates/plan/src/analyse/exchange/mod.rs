//! Whether a query can be answered by bringing its tables together, and what has to be brought.
//!
//! What is brought has other names and no system columns, and is no table of its type: a query
//! that could tell the difference is not answered in this way.

mod conjuncts;
mod filters;
mod groups;
mod reduced;
pub(super) mod words;

use std::collections::HashSet;
use std::sync::Arc;

use herd_catalog::Table;
use herd_types::TableId;

use super::graph::RelationId;
use super::{Analysis, from};
use crate::exchange::{Beside, Brought, Exchange, Mention};
use crate::lex::Token;
use crate::route::Need;
use crate::statement::{Query, TableRef};
pub(super) use words::Words;

/// What of the whole statement decides.
#[derive(Debug, Default)]
pub(super) struct Manner {
    pub(super) changes_data: bool,
    pub(super) locks: bool,
    /// By `*` or NATURAL.
    pub(super) names_all_columns: bool,
    /// Somewhere, by plain expressions.
    pub(super) groups: bool,
    /// In expressions: they may be run for one row after the other.
    pub(super) has_subqueries: bool,
    /// Where names stand alone that mean columns.
    pub(super) named_columns: HashSet<u32>,
    /// Functions that are not known to give the same wherever they are called.
    pub(super) calls_unsteady: bool,
    /// Takes some rows of several, by LIMIT or DISTINCT ON.
    pub(super) picks_rows: bool,
}

/// A fragmented table is read here.
pub(super) struct Reading {
    pub(super) table: Arc<Table>,
    relation: RelationId,
    /// Where its name starts.
    pub(super) at: u32,
    parts: usize,
    is_aliased: bool,
    pub(super) renames_columns: bool,
    /// As columns name it.
    pub(super) visible_name: Box<str>,
}

impl Analysis<'_> {
    pub(super) fn note_reading(
        &mut self,
        table: &Arc<Table>,
        written: &TableRef,
        relation: RelationId,
    ) {
        let alias = written.alias.as_ref();
        let name = alias.map_or_else(|| from::last(&written.name), |alias| &alias.name);
        self.readings.push(Reading {
            table: Arc::clone(table),
            relation,
            at: written.name[0].at,
            parts: written.name.len(),
            is_aliased: alias.is_some(),
            renames_columns: alias.is_some_and(|alias| !alias.columns.is_empty()),
            visible_name: name.text.clone(),
        });
    }

    /// What to bring for `query`, whose needs are all in `needs`.
    pub(super) fn exchange(
        &self,
        query: &Query,
        tokens: &[Token],
        needs: &[Need],
    ) -> Option<Arc<Exchange>> {
        let Manner { changes_data, locks, .. } = self.manner;
        let needs_home = needs.iter().any(|need| matches!(need, Need::Home(_)));
        let can_be_brought = |need: &Need| match need {
            Need::Home(_) | Need::Whole(_) => true,
            Need::Keys(route) => !route.stored,
            Need::Fragment(_) | Need::Herd(_) => false,
        };
        if changes_data || locks && needs_home || !needs.iter().all(can_be_brought) {
            return None;
        }
        let words = Words { sql: self.sql, tokens };
        if words.name_system_columns() {
            return None;
        }
        let mut names: HashSet<usize> = HashSet::new();
        let mut mentions = Vec::new();
        for reading in &self.readings {
            let mention = words.mention(reading)?;
            names.extend(mention.tokens.clone());
            mentions.push(mention);
        }
        let omitted = words.schemas_of_columns(&names, &self.readings, &mentions)?;
        let whole_rows = words.whole_rows(&self.readings, &mentions, &self.manner.named_columns)?;
        let parameters = self.parameters.keys().map(|&index| usize::from(index) + 1).max();
        let mut exchange = Exchange {
            brought: Vec::new(),
            beside: match (needs_home, self.graph.reads_copies()) {
                (true, _) => Beside::Home,
                (false, true) => Beside::Copies,
                (false, false) => Beside::Nothing,
            },
            locks,
            parameters: parameters.unwrap_or_default(),
            part: None,
            omitted: omitted.into(),
            scatter: None,
        };
        for (reading, mention) in self.readings.iter().zip(mentions) {
            let all = whole_rows || self.manner.names_all_columns || self.renames(reading.table.id);
            self.bring(&mut exchange, reading, mention, &words, all);
        }
        if let ([reading], [brought]) = (&*self.readings, &mut *exchange.brought) {
            brought.reduction = self.reduction(query, reading, &words);
        }
        if locks && exchange.brought.iter().any(|brought| !brought.locks()) {
            return None;
        }
        self.filter_all(&mut exchange, &words);
        if !needs_home && !locks {
            exchange.scatter = self.scatter(query, &words, exchange.parameters);
        }
        for brought in &mut exchange.brought {
            brought.keyed = self.manner.groups && !brought.is_grouped();
            brought.indexed = self.manner.has_subqueries && !brought.is_grouped();
        }
        (!exchange.brought.is_empty()).then(|| Arc::new(exchange))
    }

    fn renames(&self, table: TableId) -> bool {
        self.readings.iter().any(|it| it.table.id == table && it.renames_columns)
    }

    fn bring(
        &self,
        exchange: &mut Exchange,
        reading: &Reading,
        mention: Mention,
        words: &Words<'_>,
        all_columns: bool,
    ) {
        let known = exchange.brought.iter().position(|it| it.table == reading.table.id);
        let place = known.unwrap_or_else(|| {
            let columns = words.columns_of(&reading.table, all_columns);
            let omitted = Arc::clone(&exchange.omitted);
            exchange.brought.push(Brought::new(reading.table.id, columns, omitted));
            exchange.brought.len() - 1
        });
        let brought = &mut exchange.brought[place];
        brought.mention(mention);
        // A place that was looked at and taken back is no occurrence any more.
        let mut occurrences = self.occurrences.iter();
        if let Some(occurrence) = occurrences.find(|it| it.relation == reading.relation) {
            brought.need(self.need(occurrence));
        }
    }
}

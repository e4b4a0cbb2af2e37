//! Which rows of each table count, for a query of several tables.
//!
//! A row counts only if it satisfies the conditions on its table alone that hold where the table
//! stands, and if on its own node it has partners: a table that stands beside or around it, joined by
//! the key of both, or a reference table, has a row with what is true of that one. A partner's own
//! partners are reference tables, as whatever is joined by the key is the row's partner itself. What
//! the rows of a table need differs from place to place, so that each place where it is read is an alternative.

use std::collections::BTreeMap;

use herd_catalog::{Fragmentation, Table};

use super::Analysis;
use super::conjuncts::Conjuncts;
use super::words::Words;
use crate::analyse::graph::{ColumnId, Fact, RelationId};
use crate::exchange::{Brought, Conjunction, Exchange, Filter, Narrowing, Partner};

/// Tables that a row is asked for at most, one beside the other.
const PARTNERS_MAX: usize = 3;
/// Places at which a table is read, for which more than all its rows is worth telling.
const ALTERNATIVES_MAX: usize = 8;

/// Types of which values are told as they are, whatever the settings.
const INTEGERS: &[&str] = &["smallint", "integer", "bigint"];

struct Search<'a, 's> {
    analysis: &'a Analysis<'s>,
    words: &'a Words<'a>,
    conjuncts: &'a Conjuncts,
}

impl Analysis<'_> {
    pub(super) fn filter_all(&self, exchange: &mut Exchange, words: &Words<'_>) {
        if exchange.brought.iter().all(|brought| brought.reduction.is_some()) {
            return;
        }
        let conjuncts = words.conjuncts();
        let search = Search { analysis: self, words, conjuncts: &conjuncts };
        for brought in &mut exchange.brought {
            brought.filter = search.filter(brought).unwrap_or_default();
        }
        // What is narrowed by another table is brought after it.
        exchange.brought.sort_by_key(|brought| !brought.filter.has_conditions());
        for place in 1..exchange.brought.len() {
            let (before, rest) = exchange.brought.split_at_mut(place);
            rest[0].narrowings = search.narrowings(&rest[0], before);
        }
    }
}

impl Search<'_, '_> {
    /// `None` if all rows count, or if that is not certain.
    fn filter(&self, brought: &Brought) -> Option<Filter> {
        let mut filter = Filter::default();
        for mention in brought.mentions() {
            let relations = self.analysis.graph.read_at(mention.at);
            if relations.is_empty() {
                return None;
            }
            for relation in relations {
                let conjunction = self.conjunction(relation, &mut vec![relation]);
                if conjunction.is_empty() || filter.alternatives.len() == ALTERNATIVES_MAX {
                    return None;
                }
                filter.add(conjunction, brought.table);
            }
        }
        Some(filter)
    }

    /// The columns in which all rows that count have values that rows of `others` have.
    fn narrowings(&self, brought: &Brought, others: &[Brought]) -> Vec<Narrowing> {
        let relations = brought.mentions().iter().flat_map(|it| self.analysis.graph.read_at(it.at));
        let mut common: Option<Vec<Narrowing>> = None;
        for relation in relations {
            let found = self.narrowings_at(relation, others);
            match &mut common {
                Some(common) => common.retain(|narrowing| found.contains(narrowing)),
                None => common = Some(found),
            }
        }
        common.unwrap_or_default()
    }

    fn narrowings_at(&self, relation: RelationId, others: &[Brought]) -> Vec<Narrowing> {
        let mut found = Vec::new();
        let Some(own) = self.table(relation) else { return found };
        for (other, equal) in self.equal_columns(relation) {
            let Some(table) = self.table(other) else { continue };
            let is_brought = |column| {
                others.iter().any(|it| it.table == table.id && it.columns.contains(&column))
            };
            for (column, others) in equal {
                let type_name = &own.columns[column].type_name;
                let is_integer = INTEGERS.contains(&type_name.as_str());
                if is_integer && *type_name == table.columns[others].type_name && is_brought(others)
                {
                    found.push(Narrowing { column, other: table.id, others });
                }
            }
        }
        found
    }

    /// What is true of every row of `relation` that counts; `path` leads to it.
    fn conjunction(&self, relation: RelationId, path: &mut Vec<RelationId>) -> Conjunction {
        let graph = &self.analysis.graph;
        let conditions = graph.facts_beside(relation).iter().filter_map(|fact| match fact {
            Fact::Holds(holder, condition) if *holder == relation => {
                let condition = self.analysis.conditions.get(*condition)?;
                self.conjuncts.tokens(condition, self.words)
            }
            _ => None,
        });
        let mut conjunction =
            Conjunction { conditions: conditions.collect(), partners: Vec::new() };
        conjunction.conditions.sort_by_key(|tokens| tokens.start);
        conjunction.conditions.dedup();
        if path.len() <= PARTNERS_MAX {
            conjunction.partners = self.partners(relation, path);
        }
        conjunction
    }

    fn partners(&self, relation: RelationId, path: &mut Vec<RelationId>) -> Vec<Partner> {
        let mut partners = Vec::new();
        for (other, equal) in self.equal_columns(relation) {
            let is_near = self.are_side_by_side(relation, other, &equal, path.len() == 1);
            if path.contains(&other) || !is_near {
                continue;
            }
            let Some(table) = self.table(other) else { continue };
            path.push(other);
            let those = self.conjunction(other, path);
            path.pop();
            let partner = Partner { table: table.id, equal, those };
            if !partner.those.is_empty() && !partners.contains(&partner) {
                partners.push(partner);
            }
        }
        partners
    }

    /// The tables whose rows have, wherever a row of `relation` counts, the same values in some columns.
    fn equal_columns(&self, relation: RelationId) -> BTreeMap<RelationId, Vec<(usize, usize)>> {
        let graph = &self.analysis.graph;
        let mut found: BTreeMap<RelationId, Vec<(usize, usize)>> = BTreeMap::new();
        for own in 0..graph.relation(relation).columns.len() {
            let id = ColumnId { relation, column: own as u32 };
            if graph.key_type(id).is_none() {
                continue;
            }
            for other in graph.class(id).columns() {
                let is_partner = other.relation != relation
                    && self.table(other.relation).is_some()
                    && graph.is_beside_or_around(relation, other.relation);
                if is_partner {
                    found.entry(other.relation).or_default().push((own, other.column as usize));
                }
            }
        }
        found
    }

    /// Whether all rows of `other` that are equal lie on the node of the row.
    fn are_side_by_side(
        &self,
        relation: RelationId,
        other: RelationId,
        equal: &[(usize, usize)],
        is_first: bool,
    ) -> bool {
        let (Some(own), Some(other)) = (self.table(relation), self.table(other)) else {
            return false;
        };
        match (own.fragmentation(), other.fragmentation()) {
            (_, None) => true,
            (Some(own), Some(other)) if is_first => is_same_fragment(own, other, equal),
            (_, Some(_)) => false,
        }
    }

    fn table(&self, relation: RelationId) -> Option<&Table> {
        let stored = self.analysis.graph.relation(relation).stored.as_ref();
        stored.filter(|stored| stored.is_plain).map(|stored| &*stored.table)
    }
}

fn is_same_fragment(own: &Fragmentation, other: &Fragmentation, equal: &[(usize, usize)]) -> bool {
    let mut keys = own.key().iter().zip(other.key());
    own.family() == other.family()
        && own.key().len() == other.key().len()
        && keys.all(|(own, other)| equal.contains(&(own.column, other.column)))
}

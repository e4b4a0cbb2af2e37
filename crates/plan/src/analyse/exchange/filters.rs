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
use crate::exchange::{Brought, Conjunction, Exchange, Filter, Partner};

/// Tables that a row is asked for at most, one beside the other.
const PARTNERS_MAX: usize = 3;
/// Places at which a table is read, for which more than all its rows is worth telling.
const ALTERNATIVES_MAX: usize = 8;

impl Analysis<'_> {
    pub(super) fn filter_all(&self, exchange: &mut Exchange, words: &Words<'_>) {
        if exchange.brought.iter().all(|brought| brought.reduction.is_some()) {
            return;
        }
        let conjuncts = words.conjuncts();
        for brought in &mut exchange.brought {
            brought.filter = self.filter(brought, words, &conjuncts).unwrap_or_default();
        }
    }

    /// `None` if all rows count, or if that is not certain.
    fn filter(
        &self,
        brought: &Brought,
        words: &Words<'_>,
        conjuncts: &Conjuncts,
    ) -> Option<Filter> {
        let mut filter = Filter::default();
        for mention in brought.mentions() {
            let relations = self.graph.read_at(mention.at);
            if relations.is_empty() {
                return None;
            }
            for relation in relations {
                let search = Search { analysis: self, words, conjuncts };
                let conjunction = search.conjunction(relation, &mut vec![relation]);
                if conjunction.is_empty() || filter.alternatives.len() == ALTERNATIVES_MAX {
                    return None;
                }
                filter.add(conjunction, brought.table);
            }
        }
        Some(filter)
    }
}

struct Search<'a, 's> {
    analysis: &'a Analysis<'s>,
    words: &'a Words<'a>,
    conjuncts: &'a Conjuncts,
}

impl Search<'_, '_> {
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

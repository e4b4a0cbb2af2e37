//! Relations, the regions in which they stand, and what is known to be true there.
//!
//! A *region* is a part of a statement whose rows all satisfy the same conditions: the relations
//! of a FROM and WHERE that are joined by inner joins; or those on the nullable side of an outer
//! join, whose rows besides satisfy its ON. A region within another may use what is true outside,
//! never the other way round.

mod fact;
mod stored;

use std::collections::HashSet;
use std::rc::Rc;

use herd_catalog::KeyType;

use super::limits::CLOSURE_STEPS_MAX;
use crate::route::{KeyConstant, Rows, Source};
pub(super) use fact::{Fact, Values};
pub(super) use stored::Stored;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RelationId(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RegionId(u32);

/// A column that is known: of a table, or of what a subquery gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ColumnId {
    pub(super) relation: RelationId,
    pub(super) column: u32,
}

/// One occurrence of a table, subquery, CTE or function in a statement.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) columns: Vec<Column>,
    /// Of how many columns, from the first on, the place is known as well as the name.
    pub(super) placed: usize,
    /// Whether it may have columns besides.
    pub(super) open: bool,
    /// A region of its own, within the one where it stands: for what is inside a subquery.
    pub(super) inside: RegionId,
    /// Of a logical table that is read.
    pub(super) stored: Option<Stored>,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: Box<str>,
    pub(super) meaning: Meaning,
    /// Whether an outer join or GROUPING SETS may make it NULL, whatever is known of it.
    pub(super) nullable: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Meaning {
    /// A column of a logical table whose type compares exactly.
    Stored {
        key_type: KeyType,
        /// Whether `=` with another such column means equal keys. Of a collated type only key
        /// columns are known to have a deterministic collation.
        joins: bool,
    },
    /// The same as a column inside.
    Same(ColumnId),
    /// One of these columns, of the same type: a column of a UNION.
    Either(Rc<[ColumnId]>),
    /// One of these constants.
    Constants(Rc<[Constant]>),
    Unknown,
}

/// A constant in a select list or in VALUES, with a type of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Constant {
    pub(super) source: Source,
    pub(super) cast: Option<KeyType>,
}

#[derive(Debug, Default)]
struct Region {
    parent: Option<RegionId>,
    facts: Vec<Fact>,
}

#[derive(Debug, Default)]
pub(super) struct Graph {
    relations: Vec<Relation>,
    regions: Vec<Region>,
}

/// How large the graph was, so that what was added since can be taken back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    relations: usize,
    regions: usize,
}

/// All columns that equal one column, wherever that column's row counts.
#[derive(Debug, Default)]
pub(super) struct Class {
    columns: Vec<ColumnId>,
    regions: HashSet<RegionId>,
    /// Values that follow from what the columns mean.
    pub(super) values: Vec<Rows>,
}

impl Graph {
    pub(super) fn add_region(&mut self, parent: Option<RegionId>) -> RegionId {
        self.regions.push(Region { parent, facts: Vec::new() });
        RegionId(u32::try_from(self.regions.len() - 1).expect("a statement has few regions"))
    }

    /// Puts a region into another; regions of relations are placed when all joins are known.
    pub(super) fn put(&mut self, region: RegionId, parent: RegionId) {
        self.regions[region.0 as usize].parent = Some(parent);
    }

    pub(super) fn add_fact(&mut self, region: RegionId, fact: Fact) {
        self.regions[region.0 as usize].facts.push(fact);
    }

    pub(super) fn add_relation(&mut self, relation: Relation) -> RelationId {
        self.relations.push(relation);
        RelationId(u32::try_from(self.relations.len() - 1).expect("a statement has few tables"))
    }

    pub(super) fn relation(&self, id: RelationId) -> &Relation {
        &self.relations[id.0 as usize]
    }

    /// Puts a relation into the region where it stands.
    pub(super) fn place(&mut self, relation: RelationId, region: RegionId) {
        let inside = self.relation(relation).inside;
        self.put(inside, region);
    }

    /// States that the columns of a join by its own name are those inside.
    pub(super) fn tie_to_inside(&mut self, relation: RelationId, region: RegionId) {
        for index in 0..self.relation(relation).columns.len() {
            let column = ColumnId { relation, column: index as u32 };
            if let Meaning::Same(inner) = *self.meaning(column)
                && self.comparable(column, inner)
            {
                self.add_fact(region, Fact::Equal(column, inner));
            }
        }
    }

    /// The places of a relation's columns are not known after all.
    pub(super) fn unplace(&mut self, relation: RelationId) {
        self.relations[relation.0 as usize].placed = 0;
    }

    /// Whether a relation stands directly in a region, so that its rows are never filled with
    /// NULLs there.
    pub(super) fn stands_in(&self, relation: RelationId, region: RegionId) -> bool {
        self.regions[self.relation(relation).inside.0 as usize].parent == Some(region)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { relations: self.relations.len(), regions: self.regions.len() }
    }

    /// Takes back what was added since. Facts stand in regions of their own time, so those of
    /// older regions are as they were.
    pub(super) fn rewind(&mut self, mark: Mark) {
        self.relations.truncate(mark.relations);
        self.regions.truncate(mark.regions);
    }

    pub(super) fn column(&self, id: ColumnId) -> &Column {
        &self.relation(id.relation).columns[id.column as usize]
    }

    pub(super) fn meaning(&self, id: ColumnId) -> &Meaning {
        &self.column(id).meaning
    }

    /// Whether something may make the column NULL in the rows of `region`.
    pub(super) fn is_nullable(&self, id: ColumnId, region: RegionId) -> bool {
        self.column(id).nullable || !self.stands_in(id.relation, region)
    }

    /// The type of a column, if it compares exactly.
    pub(super) fn key_type(&self, id: ColumnId) -> Option<KeyType> {
        match self.meaning(id) {
            Meaning::Stored { key_type, .. } => Some(*key_type),
            Meaning::Same(inner) => self.key_type(*inner),
            Meaning::Either(arms) => self.key_type(*arms.first()?),
            Meaning::Constants(_) | Meaning::Unknown => None,
        }
    }

    fn joins(&self, id: ColumnId) -> bool {
        match self.meaning(id) {
            Meaning::Stored { joins, .. } => *joins,
            Meaning::Same(inner) => self.joins(*inner),
            Meaning::Either(arms) => arms.iter().all(|&arm| self.joins(arm)),
            Meaning::Constants(_) | Meaning::Unknown => false,
        }
    }

    fn constants(&self, id: ColumnId) -> Option<&Rc<[Constant]>> {
        match self.meaning(id) {
            Meaning::Constants(constants) => Some(constants),
            Meaning::Same(inner) => self.constants(*inner),
            _ => None,
        }
    }

    /// Whether equality of the two columns means that they have the same key.
    pub(super) fn comparable(&self, left: ColumnId, right: ColumnId) -> bool {
        match (self.key_type(left), self.key_type(right)) {
            (Some(left_type), Some(right_type)) => {
                same_keys(left_type, right_type) && self.joins(left) && self.joins(right)
            }
            (Some(_), None) => self.constants(right).is_some(),
            (None, Some(_)) => self.constants(left).is_some(),
            (None, None) => false,
        }
    }

    /// All that equals `column`.
    pub(super) fn class(&self, column: ColumnId) -> Class {
        let mut steps = 0;
        self.class_without(column, &mut Vec::new(), &mut steps)
    }

    /// `entered`: columns of UNIONs whose arms are being looked at.
    fn class_without(
        &self,
        column: ColumnId,
        entered: &mut Vec<ColumnId>,
        steps: &mut usize,
    ) -> Class {
        let mut class = Class::default();
        class.add(column);
        let mut next = 0;
        while let Some(&column) = class.columns.get(next) {
            next += 1;
            self.see(column.relation, &mut class.regions);
            self.follow(column, &mut class, entered, steps);
            self.add_equals(&mut class, steps);
            if *steps > CLOSURE_STEPS_MAX {
                return Class::default();
            }
        }
        class
    }

    /// The regions whose facts hold wherever a row of `relation` counts.
    fn see(&self, relation: RelationId, regions: &mut HashSet<RegionId>) {
        let mut region = Some(self.relation(relation).inside);
        while let Some(id) = region {
            if !regions.insert(id) {
                return;
            }
            region = self.regions[id.0 as usize].parent;
        }
    }

    fn follow(
        &self,
        column: ColumnId,
        class: &mut Class,
        entered: &mut Vec<ColumnId>,
        steps: &mut usize,
    ) {
        match self.meaning(column) {
            Meaning::Same(inner) => class.add(*inner),
            Meaning::Either(arms) if !entered.contains(&column) => {
                entered.push(column);
                if let Some(values) = self.values_of_arms(arms, entered, steps) {
                    class.values.push(values);
                }
                entered.pop();
            }
            _ => {}
        }
    }

    /// The values of a UNION's column: those of all its arms, if all are known.
    fn values_of_arms(
        &self,
        arms: &[ColumnId],
        entered: &mut Vec<ColumnId>,
        steps: &mut usize,
    ) -> Option<Rows> {
        let mut all: Vec<Box<[KeyConstant]>> = Vec::new();
        for &arm in arms {
            let class = self.class_without(arm, entered, steps);
            let listed = self.single_values(&class).into_iter().find_map(|rows| match rows {
                Rows::One(constant) => Some(vec![Box::from([constant])]),
                Rows::Many(rows) => Some(rows.into_vec()),
                Rows::Elements(_) => None,
            });
            all.extend(listed?);
        }
        Some(Rows::Many(all.into()))
    }

    /// Adds what the visible facts say is equal to any column of the class.
    fn add_equals(&self, class: &mut Class, steps: &mut usize) {
        let regions: Vec<RegionId> = class.regions.iter().copied().collect();
        for region in regions {
            for fact in &self.regions[region.0 as usize].facts {
                *steps += 1;
                let Fact::Equal(left, right) = *fact else { continue };
                let (known, other) = match (class.contains(left), class.contains(right)) {
                    (true, false) => (left, right),
                    (false, true) => (right, left),
                    _ => continue,
                };
                match (self.key_type(known), self.constants(other)) {
                    (Some(compared), Some(constants)) => {
                        let values = compared_with(constants, compared);
                        if !class.values.contains(&values) {
                            class.values.push(values);
                        }
                    }
                    (Some(_), None) => class.add(other),
                    (None, _) => {}
                }
            }
        }
    }

    /// The sets of values that bound the columns of a class, each on its own.
    pub(super) fn single_values(&self, class: &Class) -> Vec<Rows> {
        let mut found = class.values.clone();
        for values in self.values_in(class) {
            let column = values.columns.iter().position(|column| class.contains(*column));
            let Some(column) = column.filter(|_| !values.null_matches) else { continue };
            found.push(match (&*values.rows, values.columns.len()) {
                (rows, 1) => rows.clone(),
                (Rows::Many(rows), _) => {
                    Rows::Many(rows.iter().map(|row| Box::from([row[column]])).collect())
                }
                (Rows::One(_) | Rows::Elements(_), _) => continue,
            });
        }
        found
    }

    /// The facts about values that a class sees.
    pub(super) fn values_in(&self, class: &Class) -> impl Iterator<Item = &Values> {
        self.facts_in(class).filter_map(|fact| match fact {
            Fact::In(values) => Some(values),
            _ => None,
        })
    }

    pub(super) fn facts_in(&self, class: &Class) -> impl Iterator<Item = &Fact> {
        let mut regions: Vec<RegionId> = class.regions.iter().copied().collect();
        regions.sort_unstable_by_key(|region| region.0);
        regions.into_iter().flat_map(|region| &self.regions[region.0 as usize].facts)
    }

    /// The facts that hold directly in the region where `relation` stands.
    pub(super) fn facts_beside(&self, relation: RelationId) -> &[Fact] {
        let inside = self.relation(relation).inside;
        match self.regions[inside.0 as usize].parent {
            Some(region) => &self.regions[region.0 as usize].facts,
            None => &[],
        }
    }
}

impl Class {
    fn add(&mut self, column: ColumnId) {
        if !self.contains(column) {
            self.columns.push(column);
        }
    }

    pub(super) fn contains(&self, column: ColumnId) -> bool {
        self.columns.contains(&column)
    }
}

/// Types whose equal values are the same key.
pub(super) fn same_keys(left: KeyType, right: KeyType) -> bool {
    use KeyType::{Int2, Int4, Int8, Text, Varchar};
    let family = |key_type| match key_type {
        Int2 | Int4 | Int8 => Int8,
        Text | Varchar => Text,
        other => other,
    };
    family(left) == family(right)
}

/// Constants with types of their own, beside a column of type `compared`.
fn compared_with(constants: &[Constant], compared: KeyType) -> Rows {
    let rows = constants.iter().map(|constant| {
        let constant = KeyConstant {
            source: constant.source,
            cast: constant.cast,
            untyped: KeyType::Text,
            compared,
            null_matches: false,
            strict: constants.len() == 1,
        };
        Box::from([constant])
    });
    Rows::Many(rows.collect())
}

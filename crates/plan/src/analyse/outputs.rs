//! The columns that a query gives, and how facts pass between them and what is inside.

use std::rc::Rc;

use super::Analysis;
use super::graph::{Column, ColumnId, Fact, Meaning, RegionId, Relation, RelationId, same_keys};
use crate::statement::{Ident, SetOperator};

#[derive(Clone, Debug, Default)]
pub(super) struct Outputs {
    pub(super) columns: Vec<OutputColumn>,
    /// Of how many columns, from the first on, the place is known as well as the name.
    pub(super) placed: usize,
    /// Whether there may be columns besides.
    pub(super) open: bool,
}

#[derive(Clone, Debug)]
pub(super) struct OutputColumn {
    /// Empty when it has none, or none that is known.
    pub(super) name: Box<str>,
    pub(super) meaning: Meaning,
    /// Whether it may be NULL, whatever is known of its values.
    pub(super) nullable: bool,
    /// The columns inside that conditions on this one from outside bind as well.
    pub(super) inner: Vec<(RegionId, ColumnId)>,
}

impl OutputColumn {
    pub(super) fn unknown(name: &str) -> OutputColumn {
        OutputColumn {
            name: name.into(),
            meaning: Meaning::Unknown,
            nullable: true,
            inner: Vec::new(),
        }
    }
}

impl Outputs {
    /// Nothing is known.
    pub(super) fn unknown() -> Outputs {
        Outputs { open: true, ..Outputs::default() }
    }

    pub(super) fn push(&mut self, column: OutputColumn, is_placed: bool) {
        if is_placed && self.placed == self.columns.len() {
            self.placed += 1;
        }
        self.columns.push(column);
    }

    /// Conditions from outside do not hold inside.
    pub(super) fn seal(&mut self) {
        self.columns.iter_mut().for_each(|column| column.inner.clear());
    }

    /// Nothing is known of the columns but their names.
    pub(super) fn forget(&mut self) {
        self.seal();
        self.columns.iter_mut().for_each(|column| column.meaning = Meaning::Unknown);
    }

    /// New names for the first columns.
    pub(super) fn rename(&mut self, names: &[Ident]) {
        if names.is_empty() {
            return;
        }
        // Of columns whose place is not known, the new name is not known either.
        self.columns.truncate(self.placed.max(names.len()).min(self.columns.len()));
        for (index, name) in names.iter().enumerate() {
            if index < self.placed {
                self.columns[index].name = name.text.clone();
            } else {
                self.columns.truncate(index);
                self.columns.push(OutputColumn::unknown(&name.text));
                self.placed = index + 1;
                self.open = true;
            }
        }
    }

    /// What a set operation makes of its arms.
    pub(super) fn combine(
        analysis: &Analysis<'_>,
        operator: SetOperator,
        left: Outputs,
        right: Outputs,
    ) -> Outputs {
        let placed = left.placed.min(right.placed);
        let mut combined = Outputs { open: left.open, ..Outputs::default() };
        for (index, column) in left.columns.into_iter().enumerate() {
            let other = right.columns.get(index).filter(|_| index < placed);
            let both = other.and_then(|other| both_arms(analysis, operator, &column, other));
            let column = both.unwrap_or_else(|| OutputColumn::unknown(&column.name));
            combined.push(column, index < placed);
        }
        combined
    }
}

/// A column of a set operation, if both its arms are columns of one type.
fn both_arms(
    analysis: &Analysis<'_>,
    operator: SetOperator,
    left: &OutputColumn,
    right: &OutputColumn,
) -> Option<OutputColumn> {
    let left_arms = arms(&left.meaning)?;
    let right_arms = arms(&right.meaning)?;
    let type_of = |column: &ColumnId| analysis.graph.key_type(*column);
    let first = type_of(left_arms.first()?)?;
    let mut all = left_arms.iter().chain(right_arms.iter());
    if !all.all(|column| type_of(column) == Some(first)) {
        return None;
    }
    let meaning = match operator {
        SetOperator::Union => {
            Meaning::Either(left_arms.iter().chain(&*right_arms).copied().collect())
        }
        // Each row is a row of the left arm.
        SetOperator::Intersect | SetOperator::Except => left.meaning.clone(),
    };
    let inner = left.inner.iter().chain(&right.inner).copied().collect();
    let nullable = left.nullable || right.nullable;
    Some(OutputColumn { name: left.name.clone(), meaning, nullable, inner })
}

fn arms(meaning: &Meaning) -> Option<Rc<[ColumnId]>> {
    match meaning {
        Meaning::Same(column) => Some(Rc::from([*column])),
        Meaning::Either(arms) => Some(Rc::clone(arms)),
        _ => None,
    }
}

impl Analysis<'_> {
    /// A subquery or CTE as a relation; `inside` is the region around its body.
    pub(super) fn derive(&mut self, outputs: Outputs, inside: RegionId) -> RelationId {
        let Outputs { columns, placed, open } = outputs;
        let names = columns.iter().map(|column| Column {
            name: column.name.clone(),
            meaning: column.meaning.clone(),
            nullable: column.nullable,
        });
        let relation = Relation { columns: names.collect(), placed, open, inside, stored: None };
        let relation = self.graph.add_relation(relation);
        for (index, column) in columns.into_iter().enumerate() {
            let outer = ColumnId { relation, column: index as u32 };
            for (region, inner) in column.inner {
                let types = (self.graph.key_type(outer), self.graph.key_type(inner));
                if let (Some(outer_type), Some(inner_type)) = types
                    && same_keys(outer_type, inner_type)
                {
                    self.graph.add_fact(region, Fact::Equal(outer, inner));
                }
            }
        }
        relation
    }
}

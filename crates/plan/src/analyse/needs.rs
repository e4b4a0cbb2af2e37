//! From facts to needs: the keys to which each occurrence of a table is bound.

use std::ops::Bound;

use herd_catalog::Method;
use smallvec::SmallVec;

use super::graph::{Class, ColumnId, Fact, Values};
use super::{Analysis, Occurrence};
use crate::route::{
    KeyConstant, KeyRoute, Limit, Need, Part, Proof, Rows, Source, Whole, key_columns,
};

impl Analysis<'_> {
    /// All needs of the statement, its own order kept.
    pub(super) fn all_needs(&mut self) -> Vec<Need> {
        let mut needs = std::mem::take(&mut self.needs);
        needs.extend(self.occurrences.iter().map(|occurrence| self.need(occurrence)));
        needs.extend(self.assigned.iter().map(|assigned| self.need_of(assigned)));
        needs
    }

    pub(super) fn need(&self, occurrence: &Occurrence) -> Need {
        let Occurrence { relation, table, name } = occurrence;
        let proofs = self.proofs(occurrence);
        if proofs.is_empty() {
            let why = self.notes.get(relation).copied();
            let why = match why {
                Some(why) => why.into(),
                None => {
                    format!("nothing binds its key {} to known values", key_columns(table)).into()
                }
            };
            return Need::Whole(Whole { table: table.id, name: name.clone(), why, hint: None });
        }
        let proofs = proofs.into();
        Need::Keys(KeyRoute { table: table.id, name: name.clone(), proofs, stored: false })
    }

    fn proofs(&self, occurrence: &Occurrence) -> Vec<Proof> {
        let Occurrence { relation, table, .. } = occurrence;
        let Some(fragmentation) = table.fragmentation() else { return Vec::new() };
        let columns = fragmentation
            .key()
            .iter()
            .map(|key| ColumnId { relation: *relation, column: key.column as u32 });
        let key: Vec<(ColumnId, Class)> =
            columns.map(|column| (column, self.graph.class(column))).collect();
        let mut parts = self.parts(occurrence, &key);
        let (whole, partial): (Vec<Part>, Vec<Part>) =
            parts.drain(..).partition(|part| part.columns.len() == key.len());
        let mut proofs: Vec<Proof> =
            whole.into_iter().map(|part| Proof::Keys(smallvec::smallvec![part])).collect();
        if proofs.is_empty() {
            proofs.extend(together(&partial, key.len()));
        }
        if fragmentation.method() == Method::Range {
            proofs.extend(self.between(&key[0].1, &partial));
        }
        proofs
    }

    /// Sets of values for one or several columns of the key.
    fn parts(&self, occurrence: &Occurrence, key: &[(ColumnId, Class)]) -> Vec<Part> {
        let mut parts = Vec::new();
        for (position, (_, class)) in key.iter().enumerate() {
            for rows in &class.values {
                let columns = smallvec::smallvec![position as u8];
                parts.push(Part { columns, rows: self.inferred(rows.clone()) });
            }
        }
        let mut seen: Vec<*const Rows> = Vec::new();
        for (_, class) in key {
            for values in self.graph.values_in(class).filter(|values| !values.null_matches) {
                let rows = std::rc::Rc::as_ptr(&values.rows);
                if !seen.contains(&rows) {
                    seen.push(rows);
                    let position = |column: &ColumnId| {
                        key.iter().position(|(_, class)| class.contains(*column))
                    };
                    parts.extend(self.part(values, &position));
                }
            }
        }
        for fact in self.graph.facts_beside(occurrence.relation) {
            if let Fact::In(values) = fact
                && values.null_matches
            {
                let position = |column: &ColumnId| key.iter().position(|(own, _)| own == column);
                parts.extend(self.part(values, &position));
            }
        }
        parts
    }

    /// The columns of `values` that are in the key; the others are left out.
    fn part(&self, values: &Values, position: &dyn Fn(&ColumnId) -> Option<usize>) -> Option<Part> {
        let mut columns = SmallVec::<[u8; 2]>::new();
        let mut kept = Vec::new();
        for (index, column) in values.columns.iter().enumerate() {
            if let Some(position) = position(column).map(|position| position as u8)
                && !columns.contains(&position)
            {
                columns.push(position);
                kept.push(index);
            }
        }
        if columns.is_empty() {
            return None;
        }
        let rows = match &*values.rows {
            Rows::Many(rows) if kept.len() < values.columns.len() => {
                let keep = |row: &[KeyConstant]| kept.iter().map(|&index| row[index]).collect();
                Rows::Many(rows.iter().map(|row| keep(row)).collect())
            }
            rows => rows.clone(),
        };
        Some(Part { columns, rows: self.inferred(rows) })
    }

    /// What is known of the order of the key's first column.
    fn between(&self, class: &Class, partial: &[Part]) -> Option<Proof> {
        let (mut low, mut high) = (Bound::Unbounded, Bound::Unbounded);
        for fact in self.graph.facts_in(class) {
            match fact {
                Fact::Low(column, limit) if class.contains(*column) => low = *limit,
                Fact::High(column, limit) if class.contains(*column) => high = *limit,
                _ => {}
            }
        }
        // Of a key of several columns, the first may be known alone.
        let first = partial.iter().find_map(|part| match (&part.rows, part.columns.as_slice()) {
            (Rows::One(constant), [0]) if !constant.null_matches => Some(*constant),
            _ => None,
        });
        if let Some(first) = first {
            (low, high) = (Bound::Included(first), Bound::Included(first));
        }
        let is_bound = low != Bound::Unbounded || high != Bound::Unbounded;
        let inferred = |limit: Limit| limit.map(|constant| self.inferred_constant(constant));
        is_bound.then(|| Proof::Between { low: inferred(low), high: inferred(high) })
    }

    /// Notes which parameters have a type that can be told.
    pub(super) fn inferred(&self, rows: Rows) -> Rows {
        match rows {
            Rows::One(constant) => Rows::One(self.inferred_constant(constant)),
            Rows::Elements(array) => Rows::Elements(self.inferred_constant(array)),
            Rows::Many(mut rows) => {
                for constant in rows.iter_mut().flatten() {
                    *constant = self.inferred_constant(*constant);
                }
                Rows::Many(rows)
            }
        }
    }

    fn inferred_constant(&self, constant: KeyConstant) -> KeyConstant {
        match constant.source {
            Source::Parameter { index, .. } => {
                let inferred = self.is_inferred(index);
                KeyConstant { source: Source::Parameter { index, inferred }, ..constant }
            }
            _ => constant,
        }
    }
}

/// Parts that cover the key without overlapping, the widest first.
fn together(parts: &[Part], width: usize) -> Option<Proof> {
    let mut widest: Vec<&Part> = parts.iter().collect();
    widest.sort_by_key(|part| std::cmp::Reverse(part.columns.len()));
    let mut chosen = SmallVec::<[Part; 1]>::new();
    let mut covered = vec![false; width];
    for part in widest {
        if part.columns.iter().all(|&column| !covered[usize::from(column)]) {
            part.columns.iter().for_each(|&column| covered[usize::from(column)] = true);
            chosen.push(part.clone());
        }
    }
    covered.iter().all(|&column| column).then_some(Proof::Keys(chosen))
}

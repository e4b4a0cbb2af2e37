//! Keys read from a statement's values, and the nodes of their fragments.

use std::ops::Bound;

use herd_catalog::{Catalog, Fragmentation, KeyValue};
use herd_types::NodeId;
use smallvec::SmallVec;

use super::constant::{KeyConstant, Unread};
use super::nodes::Nodes;
use super::{KeyRoute, Limit, PRODUCT_MAX, Part, Proof, Rows, fragmentation};
use crate::Values;

/// A key without NULLs in a comparison, with them when stored.
type Key = SmallVec<[Option<KeyValue>; 2]>;

impl KeyRoute {
    /// The usual case, a key of one value, without detours. `None` when it is another case, or
    /// when there is more to say.
    #[inline]
    pub(super) fn single_node(&self, catalog: &Catalog, values: &Values<'_>) -> Option<NodeId> {
        let [Proof::Keys(parts)] = &*self.proofs else { return None };
        let [Part { rows: Rows::One(constant), .. }] = parts.as_slice() else { return None };
        let fragmentation = catalog.table(self.table)?.fragmentation()?;
        let [column] = fragmentation.key() else { return None };
        let mut value = constant.value(values).ok()??;
        if self.stored {
            value = column.store(value).ok()?;
        }
        Some(fragmentation.fragment_for(&[Some(value)])?.primary)
    }

    /// For each row that is stored its node, if there is a fragment for it.
    pub(crate) fn nodes_of_rows(
        &self,
        catalog: &Catalog,
        values: &Values<'_>,
    ) -> Result<Vec<Option<NodeId>>, Unread> {
        let fragmentation = fragmentation(catalog, self.table)?;
        let [Proof::Keys(parts)] = &*self.proofs else { return Err(no_rows()) };
        let [part] = parts.as_slice() else { return Err(no_rows()) };
        let mut nodes = Vec::new();
        for_each_key(parts, part.columns.len(), values, &mut |key| {
            let mut found = Nodes::None;
            add_fragment_of(&mut found, key, fragmentation, self.stored)?;
            nodes.push(found.as_slice().first().copied());
            Ok(())
        })?;
        Ok(nodes)
    }

    pub(super) fn nodes(&self, catalog: &Catalog, values: &Values<'_>) -> Result<Nodes, Unread> {
        let fragmentation = fragmentation(catalog, self.table)?;
        let mut nodes: Option<Nodes> = None;
        let mut unread = None;
        for proof in &self.proofs {
            match proof.nodes(fragmentation, self.stored, values) {
                Ok(found) => {
                    nodes = Some(match nodes {
                        None => found,
                        Some(nodes) => nodes.intersection(&found),
                    });
                }
                // A value that the server rejects ends the statement; of another proof that
                // cannot be read, nothing follows.
                Err(Unread::Rejected) => return Err(Unread::Rejected),
                Err(unsure) => unread = Some(unsure),
            }
        }
        match (nodes, unread) {
            (Some(nodes), _) => Ok(nodes),
            (None, Some(unread)) => Err(unread),
            (None, None) => Ok(Nodes::of(fragmentation.nodes().iter().copied())),
        }
    }
}

impl Proof {
    fn nodes(
        &self,
        fragmentation: &Fragmentation,
        stored: bool,
        values: &Values<'_>,
    ) -> Result<Nodes, Unread> {
        match self {
            Proof::Keys(parts) => {
                let mut nodes = Nodes::None;
                let width = fragmentation.key().len();
                for_each_key(parts, width, values, &mut |key| {
                    add_fragment_of(&mut nodes, key, fragmentation, stored)
                })?;
                Ok(nodes)
            }
            Proof::Between { low, high } => between(fragmentation, low, high, values),
        }
    }
}

fn no_rows() -> Unread {
    Unread::Unsure("the keys are not given row by row".into())
}

fn add_fragment_of(
    nodes: &mut Nodes,
    key: &mut Key,
    fragmentation: &Fragmentation,
    stored: bool,
) -> Result<(), Unread> {
    if stored {
        for (value, column) in key.iter_mut().zip(fragmentation.key()) {
            if let Some(given) = value.take() {
                *value = Some(column.store(given).map_err(Unread::from)?);
            }
        }
    }
    // Without such a fragment there are no such rows, and any node refuses to store one.
    if let Some(fragment) = fragmentation.fragment_for(key) {
        nodes.add(fragment.primary);
    }
    Ok(())
}

/// Calls `visit` with every key that the parts allow.
fn for_each_key(
    parts: &[Part],
    width: usize,
    values: &Values<'_>,
    visit: &mut dyn FnMut(&mut Key) -> Result<(), Unread>,
) -> Result<(), Unread> {
    let mut lists = SmallVec::<[Vec<Key>; 2]>::new();
    let mut product = 1_usize;
    for part in parts {
        let rows = part.rows.read(values)?;
        product = product.saturating_mul(rows.len());
        lists.push(rows);
    }
    if parts.len() > 1 && product > PRODUCT_MAX {
        return Err(Unread::Unsure("too many combinations of keys".into()));
    }
    for number in 0..product {
        let mut rest = number;
        let mut key: Key = smallvec::smallvec![None; width];
        for (part, rows) in parts.iter().zip(&lists) {
            let row = &rows[rest % rows.len()];
            rest /= rows.len();
            for (&column, value) in part.columns.iter().zip(row) {
                key[usize::from(column)].clone_from(value);
            }
        }
        visit(&mut key)?;
    }
    Ok(())
}

impl Rows {
    /// The rows with a value in every column: a comparison with NULL is never true.
    ///
    /// A value that cannot be read for sure outweighs one that the server rejects.
    fn read(&self, values: &Values<'_>) -> Result<Vec<Key>, Unread> {
        let mut rows = Vec::new();
        let mut rejected = false;
        let mut add = |row: Result<Option<Key>, Unread>| match row {
            Ok(row) => {
                rows.extend(row);
                Ok(())
            }
            Err(Unread::Rejected) => {
                rejected = true;
                Ok(())
            }
            Err(unsure) => Err(unsure),
        };
        match self {
            Rows::One(constant) => add(key_of(std::slice::from_ref(constant), values))?,
            Rows::Many(all) => {
                for row in all {
                    add(key_of(row, values))?;
                }
            }
            Rows::Elements(array) => array.elements(values, &mut |element| {
                add(element.map(|value| value.map(|value| smallvec::smallvec![Some(value)])))
            })?,
        }
        if rejected { Err(Unread::Rejected) } else { Ok(rows) }
    }
}

/// `None` when a NULL among the values keeps the row from matching.
fn key_of(row: &[KeyConstant], values: &Values<'_>) -> Result<Option<Key>, Unread> {
    let mut key = Key::new();
    let mut matches = true;
    for constant in row {
        let value = constant.value(values)?;
        matches &= value.is_some() || constant.null_matches;
        key.push(value);
    }
    Ok(matches.then_some(key))
}

fn between(
    fragmentation: &Fragmentation,
    low: &Limit,
    high: &Limit,
    values: &Values<'_>,
) -> Result<Nodes, Unread> {
    let (Some(low), Some(high)) = (limit(low, values)?, limit(high, values)?) else {
        return Ok(Nodes::None);
    };
    let low = match low {
        Bound::Excluded(value) => next(&value, 1).map_or(Bound::Excluded(value), Bound::Included),
        low => low,
    };
    let high = match high {
        Bound::Excluded(value) => next(&value, -1).map_or(Bound::Excluded(value), Bound::Included),
        high => high,
    };
    let fragments = fragmentation.fragments_between(low.as_ref(), high.as_ref());
    Ok(Nodes::of(fragments.map(|fragment| fragment.primary)))
}

/// A limit's value; `None` when it is NULL, on neither side of which anything lies.
fn limit(limit: &Limit, values: &Values<'_>) -> Result<Option<Bound<KeyValue>>, Unread> {
    Ok(match limit {
        Bound::Unbounded => Some(Bound::Unbounded),
        Bound::Included(constant) => constant.value(values)?.map(Bound::Included),
        Bound::Excluded(constant) => constant.value(values)?.map(Bound::Excluded),
    })
}

/// The value right after or before one, for types that have such.
fn next(value: &KeyValue, step: i8) -> Option<KeyValue> {
    match value {
        KeyValue::Int(value) => value.checked_add(step.into()).map(KeyValue::Int),
        KeyValue::Date(days) => days.checked_add(step.into()).map(KeyValue::Date),
        _ => None,
    }
}

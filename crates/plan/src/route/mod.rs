//! From what a statement needs to the node that has it, once its values are known.
//!
//! [`Needs`] are found by `analyse`, once for all statements that differ in their literals only.
//! Here they are resolved: keys are read, fragments found, and the nodes that have them compared.
//! A statement goes to a node only if all its needs agree on that node.

mod array;
mod constant;
mod refuse;

use std::borrow::Cow;
use std::ops::Bound;

use herd_catalog::{Catalog, Fragmentation, KeyValue, Table};
use herd_types::{ClientError, FragmentId, NodeId, TableId};
use smallvec::SmallVec;

pub use constant::{KeyConstant, Source};
pub(crate) use refuse::key_columns;

use crate::{Target, Values};
use constant::Unread;

/// Keys that one proof may name, as the product of its parts.
pub(crate) const PRODUCT_MAX: usize = 4_096;

/// Where a statement goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Home,
    /// Any node gives the same answer and nothing ties the transaction to it.
    Neutral,
    /// Any node, preferably the one at hand.
    Everywhere,
    /// Where the transaction already is.
    Current,
    Node(NodeId),
}

impl Place {
    /// Whether the transaction belongs to the node from then on.
    #[must_use]
    pub fn binds(self) -> bool {
        self != Place::Neutral
    }
}

/// All that one node must have to answer a statement.
#[derive(Clone, Debug)]
pub struct Needs(pub(crate) Box<[Need]>);

#[derive(Clone, Debug)]
pub(crate) enum Need {
    /// What is on the home node only, such as a home table.
    Home(Cow<'static, str>),
    /// The rows of a fragmented table that have certain keys.
    Keys(KeyRoute),
    /// All rows of a fragmented table.
    Whole(Whole),
    /// A fragment named directly.
    Fragment(FragmentId),
    /// More than one node can do, whatever lies where.
    Herd(Beyond),
}

#[derive(Clone, Debug)]
pub(crate) struct Whole {
    pub(crate) table: TableId,
    /// The table as the statement calls it.
    pub(crate) name: Box<str>,
    pub(crate) why: Cow<'static, str>,
    pub(crate) hint: Option<Cow<'static, str>>,
}

/// Something that no single node of several can do.
#[derive(Clone, Debug)]
pub(crate) struct Beyond {
    pub(crate) message: Cow<'static, str>,
    pub(crate) detail: Cow<'static, str>,
    pub(crate) hint: Option<Cow<'static, str>>,
}

/// The keys of the rows that a statement needs of one table.
#[derive(Clone, Debug)]
pub(crate) struct KeyRoute {
    pub(crate) table: TableId,
    /// The table as the statement calls it.
    pub(crate) name: Box<str>,
    /// Each is true of all rows needed.
    pub(crate) proofs: Box<[Proof]>,
    /// Whether the keys are assigned, not compared: NULL is a key then, and the column's modifier
    /// applies.
    pub(crate) stored: bool,
}

/// What is known of the key.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    /// Together the parts cover all columns of the key: every combination of their rows.
    Keys(SmallVec<[Part; 1]>),
    /// The first column of the key lies between these.
    Between { low: Limit, high: Limit },
}

/// A limit of a range of keys.
pub(crate) type Limit = Bound<KeyConstant>;

/// Values of some columns of the key.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// Positions in the key.
    pub(crate) columns: SmallVec<[u8; 2]>,
    pub(crate) rows: Rows,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// The one value of the one column: the usual case.
    One(KeyConstant),
    Many(Box<[Box<[KeyConstant]>]>),
    /// The elements of an array.
    Elements(KeyConstant),
}

/// A key without NULLs in a comparison, with them when stored.
type Key = SmallVec<[Option<KeyValue>; 2]>;

/// The nodes that hold certain rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Nodes {
    /// There are no such rows.
    None,
    One(NodeId),
    Several(SmallVec<[NodeId; 8]>),
}

impl Target {
    /// The node that can answer, now that values are known.
    ///
    /// # Errors
    /// When no single node can, or it cannot be told which.
    #[inline]
    pub fn place(&self, catalog: &Catalog, values: &Values<'_>) -> Result<Place, ClientError> {
        match self {
            Target::Home => Ok(Place::Home),
            Target::Neutral => Ok(Place::Neutral),
            Target::Everywhere => Ok(Place::Everywhere),
            Target::Current => Ok(Place::Current),
            Target::Node(node) => Ok(Place::Node(*node)),
            Target::Needs(needs) => needs.place(catalog, values),
        }
    }

    /// Where the statement can be parsed and described while no values are known: every node has the
    /// reference tables and the parents of the fragmented ones.
    #[must_use]
    pub fn judge(&self, catalog: &Catalog) -> Place {
        match self {
            Target::Home => Place::Home,
            Target::Neutral | Target::Everywhere => Place::Everywhere,
            Target::Current => Place::Current,
            Target::Node(node) => Place::Node(*node),
            Target::Needs(needs) => needs.judge(catalog),
        }
    }
}

impl Needs {
    fn judge(&self, catalog: &Catalog) -> Place {
        let at = self.0.iter().find_map(|need| match need {
            Need::Home(_) => Some(Place::Home),
            Need::Fragment(id) => catalog.fragment(*id).map(|it| Place::Node(it.primary)),
            Need::Keys(_) | Need::Whole(_) | Need::Herd(_) => None,
        });
        at.unwrap_or(Place::Everywhere)
    }

    fn place(&self, catalog: &Catalog, values: &Values<'_>) -> Result<Place, ClientError> {
        if let [Need::Keys(route)] = &*self.0
            && let Some(node) = route.single_node(catalog, values)
        {
            return Ok(Place::Node(node));
        }
        let mut place = None;
        let mut rejected = false;
        for need in &self.0 {
            let found = match need.nodes(catalog, values) {
                Ok(nodes) => nodes,
                Err(Unread::Rejected) => {
                    rejected = true;
                    continue;
                }
                Err(Unread::Unsure(why)) => return Err(refuse::unsure(need, &why)),
            };
            match (found, place) {
                (Nodes::None, _) => {}
                (Nodes::One(node), None) => place = Some(node),
                (Nodes::One(node), Some(other)) if node == other => {}
                _ if rejected => {}
                _ => return Err(refuse::several_nodes(&self.0, catalog, values)),
            }
        }
        Ok(match place {
            // The server will say what is wrong with a value, on whatever node.
            _ if rejected => Place::Everywhere,
            Some(node) => Place::Node(node),
            None => Place::Everywhere,
        })
    }
}

impl Need {
    /// The nodes that have what is needed.
    pub(crate) fn nodes(&self, catalog: &Catalog, values: &Values<'_>) -> Result<Nodes, Unread> {
        match self {
            Need::Home(_) => Ok(Nodes::One(catalog.home())),
            Need::Keys(route) => route.nodes(catalog, values),
            Need::Whole(whole) => {
                let fragmentation = fragmentation(catalog, whole.table)?;
                Ok(Nodes::of(fragmentation.nodes().iter().copied()))
            }
            Need::Fragment(id) => {
                let fragment = catalog.fragment(*id).ok_or_else(gone)?;
                Ok(Nodes::One(fragment.primary))
            }
            Need::Herd(_) => Ok(Nodes::of(catalog.data_nodes().map(|node| node.id))),
        }
    }
}

impl KeyRoute {
    /// The usual case, a key of one value, without detours. `None` when it is another case, or
    /// when there is more to say.
    #[inline]
    fn single_node(&self, catalog: &Catalog, values: &Values<'_>) -> Option<NodeId> {
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

    fn nodes(&self, catalog: &Catalog, values: &Values<'_>) -> Result<Nodes, Unread> {
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
                    nodes.add_fragment_of(key, fragmentation, stored)
                })?;
                Ok(nodes)
            }
            Proof::Between { low, high } => between(fragmentation, low, high, values),
        }
    }
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

impl Nodes {
    fn of(nodes: impl Iterator<Item = NodeId>) -> Nodes {
        let mut all = Nodes::None;
        nodes.for_each(|node| all.add(node));
        all
    }

    fn add(&mut self, node: NodeId) {
        match self {
            Nodes::None => *self = Nodes::One(node),
            Nodes::One(other) if *other == node => {}
            Nodes::One(other) => *self = Nodes::Several(smallvec::smallvec![*other, node]),
            Nodes::Several(nodes) => {
                if !nodes.contains(&node) {
                    nodes.push(node);
                }
            }
        }
    }

    fn add_fragment_of(
        &mut self,
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
            self.add(fragment.primary);
        }
        Ok(())
    }

    pub(crate) fn as_slice(&self) -> &[NodeId] {
        match self {
            Nodes::None => &[],
            Nodes::One(node) => std::slice::from_ref(node),
            Nodes::Several(nodes) => nodes,
        }
    }

    fn intersection(&self, other: &Nodes) -> Nodes {
        let nodes = self.as_slice().iter().filter(|node| other.as_slice().contains(node));
        Nodes::of(nodes.copied())
    }
}

fn table(catalog: &Catalog, id: TableId) -> Result<&Table, Unread> {
    catalog.table(id).map(|table| &**table).ok_or_else(gone)
}

fn fragmentation(catalog: &Catalog, id: TableId) -> Result<&Fragmentation, Unread> {
    table(catalog, id)?.fragmentation().ok_or_else(gone)
}

/// The catalog has moved on since the statement was understood.
fn gone() -> Unread {
    Unread::Unsure("the table has just been changed".into())
}

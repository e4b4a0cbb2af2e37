//! From what a statement needs to the node that has it, once its values are known.
//!
//! [`Needs`] are found by `analyse`, once for all statements that differ in their literals only.
//! Here they are resolved: keys are read, fragments found, and the nodes that have them compared.
//! A statement goes to a node only if all its needs agree on that node.

mod array;
mod constant;
mod keys;
mod nodes;
mod refuse;

use std::borrow::Cow;
use std::ops::Bound;

use herd_catalog::{Catalog, Fragmentation, Table};
use herd_types::{ClientError, FragmentId, NodeId, TableId};
use smallvec::SmallVec;

pub use constant::{KeyConstant, Source};
pub(crate) use nodes::Nodes;
pub(crate) use refuse::{key_columns, node_names};

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

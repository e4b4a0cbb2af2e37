//! Shape Dispatch: a write that concerns several nodes, each of which carries out its part.
//!
//! The nodes do so in one transaction, so that it happens on all of them or on none. Like an exchange,
//! a dispatch names tokens, not bytes: texts that differ in their literals only share it.

mod moments;
mod rows;

use herd_catalog::Catalog;
use herd_types::{ClientError, NodeId};

use crate::Values;
use crate::exchange::{Edit, Reading, Source};
use crate::route::{KeyRoute, Need};

pub(crate) use moments::{MOMENTS, Moment};
pub(crate) use rows::RowTokens;

#[derive(Clone, Debug)]
pub struct Dispatch {
    /// How many parameters the statement has.
    pub parameters: usize,
    /// Whether it gives rows, by RETURNING.
    pub returns: bool,
    pub(crate) share: Share,
    /// What must be the same on all nodes although each would say something else.
    pub(crate) moments: Vec<Moment>,
}

/// What each node does.
#[derive(Clone, Debug)]
pub(crate) enum Share {
    /// It changes those rows of a fragmented table that it has.
    OwnRows(Need),
    /// It changes its copy of a reference table.
    Copy,
    /// It stores the rows of VALUES whose keys belong there.
    RowsByKey { rows: RowTokens, keys: KeyRoute },
}

/// What one node is told to do.
#[derive(Clone, Debug)]
pub struct Portion {
    pub node: NodeId,
    /// The statement; its parameters are `$1` and so on.
    pub reading: Reading,
}

/// Whose answers are the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// All nodes', together.
    Together,
    /// One node's: the others say the same.
    Once,
}

impl Dispatch {
    /// A query for the values that all nodes must be told, if there are any; each is a text.
    #[must_use]
    pub fn question(&self, sql: &[u8]) -> Option<Vec<u8>> {
        moments::question(&self.moments, &Source::read(sql, &[])?)
    }

    #[must_use]
    pub fn told(&self) -> Told {
        match self.share {
            Share::OwnRows(_) | Share::RowsByKey { .. } => Told::Together,
            Share::Copy => Told::Once,
        }
    }

    /// The nodes in their order, home first if each does the same. `answers` are those to the
    /// question, once it has been asked.
    ///
    /// # Errors
    /// When it cannot be told what each node has to do.
    pub fn portions(
        &self,
        catalog: &Catalog,
        values: &Values<'_>,
        answers: Option<&[String]>,
    ) -> Result<Vec<Portion>, ClientError> {
        let source = Source::read(values.text, &[]).ok_or_else(unreadable)?;
        let edits = match answers {
            Some(answers) => moments::edits(&self.moments, &source, answers),
            None => Some(Vec::new()),
        };
        let edits = edits.ok_or_else(unreadable)?;
        let same = |nodes: Vec<NodeId>| {
            let reading = source.edited(edits.clone()).ok_or_else(unreadable)?;
            let portion = |node| Portion { node, reading: reading.clone() };
            Ok(nodes.into_iter().map(portion).collect())
        };
        match &self.share {
            Share::OwnRows(need) => same(nodes_of(need, catalog, values)?),
            Share::Copy => {
                let home = catalog.home();
                let others = catalog.data_nodes().map(|node| node.id).filter(|&id| id != home);
                same(std::iter::once(home).chain(others).collect())
            }
            Share::RowsByKey { rows, keys } => {
                let mut portions = Vec::new();
                for (node, left_out) in rows.by_node(keys, catalog, values, &source)? {
                    let all: Vec<Edit> =
                        edits.iter().filter(|it| !within(it, &left_out)).cloned().collect();
                    let edits = all.into_iter().chain(left_out).collect();
                    let reading = source.edited(edits).ok_or_else(unreadable)?;
                    portions.push(Portion { node, reading });
                }
                Ok(portions)
            }
        }
    }
}

fn within((span, _): &Edit, edits: &[Edit]) -> bool {
    edits.iter().any(|(outer, _)| outer.start <= span.start && span.end <= outer.end)
}

/// No node at all has rows that count: then any will do.
fn nodes_of(
    need: &Need,
    catalog: &Catalog,
    values: &Values<'_>,
) -> Result<Vec<NodeId>, ClientError> {
    let nodes = need.nodes(catalog, values).map_err(|_| unreadable())?;
    let mut nodes = nodes.as_slice().to_vec();
    if nodes.is_empty() {
        nodes.push(catalog.home());
    }
    nodes.sort_unstable();
    Ok(nodes)
}

fn unreadable() -> ClientError {
    ClientError::unsupported("it cannot be told what each node has to do of this statement")
}

#[cfg(test)]
mod tests;

//! The rows of an INSERT … VALUES, each to the node of its key.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use herd_catalog::Catalog;
use herd_types::{ClientError, NodeId};

use super::{Source, unreadable};
use crate::Values;
use crate::exchange::Edit;
use crate::route::KeyRoute;

/// For each row of VALUES the tokens of its parentheses and what is in them.
#[derive(Clone, Debug)]
pub(crate) struct RowTokens(pub(crate) Vec<Range<usize>>);

impl RowTokens {
    /// For each node the edits by which the rows of other nodes are left out.
    pub(super) fn by_node(
        &self,
        keys: &KeyRoute,
        catalog: &Catalog,
        values: &Values<'_>,
        source: &Source<'_>,
    ) -> Result<BTreeMap<NodeId, Vec<Edit>>, ClientError> {
        let nodes = keys.nodes_of_rows(catalog, values).map_err(|_| unreadable())?;
        if nodes.len() != self.0.len() {
            return Err(unreadable());
        }
        // A row that belongs nowhere is for any node to refuse.
        let nodes: Vec<NodeId> =
            nodes.into_iter().map(|node| node.unwrap_or_else(|| catalog.home())).collect();
        let concerned: BTreeSet<NodeId> = nodes.iter().copied().collect();
        let portion = |node| {
            let kept: Vec<bool> = nodes.iter().map(|&other| other == node).collect();
            Some((node, self.left_out(&kept, source)?))
        };
        concerned.into_iter().map(portion).collect::<Option<_>>().ok_or_else(unreadable)
    }

    /// Each row is left out with the comma after it, or before it if none that is kept follows.
    fn left_out(&self, kept: &[bool], source: &Source<'_>) -> Option<Vec<Edit>> {
        let last_kept = kept.iter().rposition(|&kept| kept)?;
        let mut edits = Vec::new();
        for (row, tokens) in self.0.iter().enumerate().filter(|(row, _)| !kept[*row]) {
            let with_comma = if row < last_kept {
                tokens.start..tokens.end + 1
            } else {
                tokens.start - 1..tokens.end
            };
            edits.push((source.span(with_comma)?, String::new()));
        }
        Some(edits)
    }
}

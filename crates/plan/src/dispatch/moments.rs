//! What a statement says of the moment, such as `now()`: the same on all nodes that carry it out.

use std::ops::Range;

use super::Source;
use crate::exchange::Edit;

/// One place in the text.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    pub(crate) tokens: Range<usize>,
    pub(crate) kind: &'static MomentKind,
}

/// A way to speak of the moment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MomentKind {
    pub(crate) word: &'static str,
    /// Whether it is a function, with parentheses.
    pub(crate) is_call: bool,
    type_name: &'static str,
}

pub(crate) const MOMENTS: [MomentKind; 8] = [
    MomentKind { word: "current_date", is_call: false, type_name: "date" },
    MomentKind { word: "current_time", is_call: false, type_name: "timetz" },
    MomentKind { word: "current_timestamp", is_call: false, type_name: "timestamptz" },
    MomentKind { word: "localtime", is_call: false, type_name: "time" },
    MomentKind { word: "localtimestamp", is_call: false, type_name: "timestamp" },
    MomentKind { word: "now", is_call: true, type_name: "timestamptz" },
    MomentKind { word: "statement_timestamp", is_call: true, type_name: "timestamptz" },
    MomentKind { word: "transaction_timestamp", is_call: true, type_name: "timestamptz" },
];

/// As JSON writes it, whatever the session's DateStyle.
pub(super) fn question(moments: &[Moment], source: &Source<'_>) -> Option<Vec<u8>> {
    if moments.is_empty() {
        return None;
    }
    let mut items = Vec::new();
    for moment in moments {
        let written = source.text(moment.tokens.clone())?;
        items.push([b"pg_catalog.to_json(", written, b") #>> '{}'"].concat());
    }
    Some([b"SELECT ", items.join(&b", "[..]).as_slice()].concat())
}

/// A subquery, because a column that has no other name is called like what stands there.
pub(super) fn edits(
    moments: &[Moment],
    source: &Source<'_>,
    answers: &[String],
) -> Option<Vec<Edit>> {
    if moments.len() != answers.len() {
        return None;
    }
    let edit = |(moment, answer): (&Moment, &String)| {
        let MomentKind { word, type_name, .. } = moment.kind;
        let instead = format!("(SELECT '{answer}'::pg_catalog.{type_name} AS \"{word}\")");
        Some((source.span(moment.tokens.clone())?, instead))
    };
    moments.iter().zip(answers).map(edit).collect()
}

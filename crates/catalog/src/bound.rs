//! Which keys a fragment holds: the bounds of native partitions.

use serde::{Deserialize, Serialize};

use crate::limits::HASH_MODULUS_MAX;
use crate::{KeyColumn, KeyError, KeyValue, Method};

/// Which keys a fragment holds. Values are PostgreSQL's text form, `None` is NULL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Bound {
    Hash {
        modulus: u32,
        remainder: u32,
    },
    List {
        values: Vec<Option<String>>,
    },
    /// `from` is inside, `to` is not; each has one entry for each key column.
    Range {
        from: Vec<Limit>,
        to: Vec<Limit>,
    },
    Default,
}

/// One column of a range bound.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Limit {
    MinValue,
    Value(String),
    MaxValue,
}

/// What is wrong with one bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoundProblem {
    #[error("it is not a bound for partitioning by {}", .0.as_str())]
    WrongMethod(Method),
    #[error("the modulus must be from 1 to {HASH_MODULUS_MAX}, and the remainder below it")]
    Modulus,
    #[error("a range bound needs one value for each of the {0} key columns")]
    Width(usize),
    #[error("partitioning by list has one key column, not {0}")]
    ListKey(usize),
    #[error("a list bound without a value holds nothing")]
    EmptyList,
    #[error("its lower bound is not below its upper bound")]
    EmptyRange,
    #[error("after MINVALUE or MAXVALUE, only the same may follow")]
    MixedInfinity,
    #[error("a table partitioned by hash has no default fragment")]
    DefaultOfHash,
    #[error("\"{0}\" is not a value of its key column")]
    InvalidValue(String),
    #[error("what \"{0}\" means depends on the server's settings")]
    UnsureValue(String),
}

/// A bound with its values read. Its order is that of fragments within a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ParsedBound {
    Hash { modulus: u32, remainder: u32 },
    List { values: Vec<Option<KeyValue>> },
    Range { from: Vec<ParsedLimit>, to: Vec<ParsedLimit> },
    Default,
}

/// The order is that of limits of one key column.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ParsedLimit {
    MinValue,
    Value(KeyValue),
    MaxValue,
}

impl Bound {
    pub(crate) fn parse(
        &self,
        method: Method,
        key: &[KeyColumn],
    ) -> Result<ParsedBound, BoundProblem> {
        match (method, self) {
            (Method::Hash, &Bound::Hash { modulus, remainder }) => {
                if modulus == 0 || modulus > HASH_MODULUS_MAX || remainder >= modulus {
                    return Err(BoundProblem::Modulus);
                }
                Ok(ParsedBound::Hash { modulus, remainder })
            }
            (Method::List, Bound::List { values }) => parse_list(key, values),
            (Method::Range, Bound::Range { from, to }) => parse_range(key, from, to),
            (Method::Hash, Bound::Default) => Err(BoundProblem::DefaultOfHash),
            (_, Bound::Default) => Ok(ParsedBound::Default),
            (_, Bound::Hash { .. } | Bound::List { .. } | Bound::Range { .. }) => {
                Err(BoundProblem::WrongMethod(method))
            }
        }
    }
}

impl ParsedBound {
    /// The one spelling of this bound that the catalog keeps.
    pub(crate) fn print(&self, key: &[KeyColumn]) -> Bound {
        let print_limits = |limits: &[ParsedLimit]| {
            limits.iter().zip(key).map(|(limit, column)| limit.print(column)).collect()
        };
        match self {
            &ParsedBound::Hash { modulus, remainder } => Bound::Hash { modulus, remainder },
            ParsedBound::List { values } => Bound::List {
                values: values
                    .iter()
                    .map(|value| value.as_ref().map(|value| key[0].key_type.to_text(value)))
                    .collect(),
            },
            ParsedBound::Range { from, to } => {
                Bound::Range { from: print_limits(from), to: print_limits(to) }
            }
            ParsedBound::Default => Bound::Default,
        }
    }
}

impl ParsedLimit {
    fn print(&self, column: &KeyColumn) -> Limit {
        match self {
            ParsedLimit::MinValue => Limit::MinValue,
            ParsedLimit::Value(value) => Limit::Value(column.key_type.to_text(value)),
            ParsedLimit::MaxValue => Limit::MaxValue,
        }
    }
}

fn parse_list(key: &[KeyColumn], values: &[Option<String>]) -> Result<ParsedBound, BoundProblem> {
    let [column] = key else { return Err(BoundProblem::ListKey(key.len())) };
    if values.is_empty() {
        return Err(BoundProblem::EmptyList);
    }
    let mut values = values
        .iter()
        .map(|value| value.as_deref().map(|text| parse_value(column, text)).transpose())
        .collect::<Result<Vec<_>, _>>()?;
    values.sort();
    values.dedup();
    Ok(ParsedBound::List { values })
}

fn parse_range(
    key: &[KeyColumn],
    from: &[Limit],
    to: &[Limit],
) -> Result<ParsedBound, BoundProblem> {
    let from = parse_limits(key, from)?;
    let to = parse_limits(key, to)?;
    if from < to { Ok(ParsedBound::Range { from, to }) } else { Err(BoundProblem::EmptyRange) }
}

fn parse_limits(key: &[KeyColumn], limits: &[Limit]) -> Result<Vec<ParsedLimit>, BoundProblem> {
    if limits.len() != key.len() {
        return Err(BoundProblem::Width(key.len()));
    }
    let is_mixed =
        limits.windows(2).any(|pair| !matches!(pair[0], Limit::Value(_)) && pair[0] != pair[1]);
    if is_mixed {
        return Err(BoundProblem::MixedInfinity);
    }
    key.iter()
        .zip(limits)
        .map(|(column, limit)| {
            Ok(match limit {
                Limit::MinValue => ParsedLimit::MinValue,
                Limit::MaxValue => ParsedLimit::MaxValue,
                Limit::Value(text) => ParsedLimit::Value(parse_value(column, text)?),
            })
        })
        .collect()
}

fn parse_value(column: &KeyColumn, text: &str) -> Result<KeyValue, BoundProblem> {
    let value = column.key_type.from_text(text.as_bytes());
    value.and_then(|value| column.modifier.store(value)).map_err(|error| match error {
        KeyError::Invalid => BoundProblem::InvalidValue(text.to_owned()),
        KeyError::Unsure => BoundProblem::UnsureValue(text.to_owned()),
    })
}

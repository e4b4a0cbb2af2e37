//! Shape Scatter: every node runs the query over its own rows, and what they give is the result, put
//! one behind the other or merged in order.
//!
//! To be merged, rows begin with hidden columns: what they are sorted by. A node is asked for as many
//! rows as the result can need of it. The plan names tokens, not bytes, because texts that differ in
//! their literals only share it.

use std::ops::Range;

use crate::exchange::Source;
use crate::lex::{Kind, Token};
use crate::{Parameter, Values};

/// In a literal of a time these stand for the moment, which is another one on each node.
const WORDS_OF_THE_MOMENT: &[&[u8]] = &[b"now", b"today", b"tomorrow", b"yesterday"];
/// A literal of a time is no longer.
const TIME_BYTES_MAX: usize = 128;

#[derive(Clone, Debug)]
pub struct Scatter {
    /// How many columns the result has.
    pub columns: usize,
    /// Whether values in binary format mean the same on every node.
    pub is_binary_portable: bool,
    /// The token before which hidden columns are put.
    pub(crate) list: usize,
    pub(crate) order: Option<Order>,
    pub(crate) limit: Option<Count>,
    pub(crate) offset: Option<Count>,
    /// How many parameters the query has.
    pub(crate) parameters: usize,
}

/// ORDER BY.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// All of its tokens but the first two.
    pub(crate) tokens: Range<usize>,
    pub(crate) keys: Vec<Key>,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) expression: Range<usize>,
    pub(crate) form: Form,
    pub(crate) direction: Direction,
}

/// How a key can be compared outside of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    AsItIs,
    /// Text that is sorted by its bytes.
    TextByBytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    pub descending: bool,
    pub nulls_first: bool,
}

/// LIMIT or OFFSET: its tokens, and the one that says how many.
#[derive(Clone, Debug)]
pub(crate) struct Count {
    pub(crate) clause: Range<usize>,
    pub(crate) count: usize,
}

/// What each node is asked for, and what is made of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub text: Vec<u8>,
    /// Of the hidden columns.
    pub keys: Vec<Direction>,
    pub offset: u64,
    pub limit: Option<u64>,
}

impl Scatter {
    /// How many columns rows begin with that the client does not get.
    #[must_use]
    pub fn hidden_columns(&self) -> usize {
        self.order.as_ref().map_or(0, |order| order.keys.len())
    }

    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.order.is_some()
    }

    /// `None` when values do not allow it: a count that cannot be read here, or a word for the moment.
    #[must_use]
    pub fn asked(&self, values: &Values<'_>) -> Option<Asked> {
        let source = Source::read(values.text, &[])?;
        if self.may_name_the_moment(&source, values) {
            return None;
        }
        let count = |count: &Option<Count>| match count {
            Some(count) => read_count(source.token(count.count)?, values),
            None => Some(None),
        };
        let limit = count(&self.limit)?;
        let offset = count(&self.offset)?.unwrap_or_default();
        let keys = self.order.iter().flat_map(|order| &order.keys).map(|key| key.direction);
        Some(Asked {
            text: self.text(&source, limit, offset)?,
            keys: keys.collect(),
            offset,
            limit,
        })
    }

    fn may_name_the_moment(&self, source: &Source<'_>, values: &Values<'_>) -> bool {
        let mut literals = source.tokens.iter().filter(|token| token.kind.is_string());
        let is_of_the_moment = |token: &Token| {
            token.string_value(source.sql).is_none_or(|it| speaks_of_the_moment(&it))
        };
        let mut parameters = (0..self.parameters)
            .filter_map(|index| values.parameters.get(index))
            .filter_map(|parameter| parameter.value.filter(|_| !parameter.binary));
        literals.any(is_of_the_moment) || parameters.any(speaks_of_the_moment)
    }

    fn text(&self, source: &Source<'_>, shown: Option<u64>, skipped: u64) -> Option<Vec<u8>> {
        let mut edits: Vec<(Range<usize>, String)> = Vec::new();
        if let Some(order) = &self.order {
            let list = source.token(self.list)?.start as usize;
            edits.push((list..list, order.hidden_columns(source)?));
            edits.push((source.span(order.tokens.clone())?, order.by_place()));
        }
        if let Some(offset) = &self.offset {
            let offset_written = source.as_bigint(offset)?;
            // The parameter keeps its place, and with it its type.
            let none = format!("OFFSET {offset_written} * 0");
            edits.push((source.span(offset.clause.clone())?, none));
            let needed = shown.unwrap_or_default().saturating_add(skipped);
            // Of more than a bigint can say, LIMIT alone is no less.
            if let Some(limit) = self.limit.as_ref().filter(|_| i64::try_from(needed).is_ok()) {
                let limit_written = source.as_bigint(limit)?;
                let clause = source.span(limit.clause.clone())?;
                edits.push((clause, format!("LIMIT {limit_written} + {offset_written}")));
            }
        }
        edits.sort_by_key(|(span, _)| span.start);
        let mut text = Vec::with_capacity(source.sql.len() + 64);
        let mut at = 0;
        for (span, replacement) in edits {
            text.extend_from_slice(source.sql.get(at..span.start)?);
            text.extend_from_slice(replacement.as_bytes());
            at = span.end;
        }
        text.extend_from_slice(source.sql.get(at..)?);
        Some(text)
    }
}

impl Order {
    fn hidden_columns(&self, source: &Source<'_>) -> Option<String> {
        let mut list = String::new();
        for (place, key) in self.keys.iter().enumerate() {
            let expression = String::from_utf8_lossy(source.text(key.expression.clone())?);
            let column = match key.form {
                Form::AsItIs => format!("({expression})"),
                Form::TextByBytes => format!(
                    "pg_catalog.convert_to(({expression})::pg_catalog.text, pg_catalog.getdatabaseencoding())"
                ),
            };
            list += &format!("{column} AS \"herd order {}\", ", place + 1);
        }
        Some(list)
    }

    /// The hidden columns are the first ones.
    fn by_place(&self) -> String {
        let keys = self.keys.iter().enumerate().map(|(place, key)| {
            let Direction { descending, nulls_first } = key.direction;
            let direction = if descending { "DESC" } else { "ASC" };
            let nulls = if nulls_first { "FIRST" } else { "LAST" };
            format!("{} {direction} NULLS {nulls}", place + 1)
        });
        keys.collect::<Vec<_>>().join(", ")
    }
}

impl Source<'_> {
    fn as_bigint(&self, count: &Count) -> Option<String> {
        let written = String::from_utf8_lossy(self.text(count.count..count.count + 1)?);
        Some(format!("{written}::pg_catalog.int8"))
    }
}

/// The number of a LIMIT or OFFSET; within, `None` for NULL.
fn read_count(token: Token, values: &Values<'_>) -> Option<Option<u64>> {
    if token.kind == Kind::Parameter {
        let index = crate::parse::parameter_index(values.text, token)?;
        let parameter = values.parameters.get(usize::from(index))?;
        return match parameter.value {
            None => Some(None),
            Some(value) => parameter_count(parameter, value).map(Some),
        };
    }
    let digits = std::str::from_utf8(token.text(values.text)).ok()?;
    bigint(digits).map(Some)
}

fn bigint(digits: &str) -> Option<u64> {
    u64::try_from(digits.trim().parse::<i64>().ok()?).ok()
}

fn parameter_count(parameter: Parameter<'_>, value: &[u8]) -> Option<u64> {
    const INFERRED: u32 = 0;
    const INTEGERS: [u32; 3] = [20, 21, 23];
    if parameter.type_oid != INFERRED && !INTEGERS.contains(&parameter.type_oid) {
        return None;
    }
    if !parameter.binary {
        return bigint(std::str::from_utf8(value).ok()?);
    }
    let signed = match value.len() {
        2 => i64::from(i16::from_be_bytes(value.try_into().ok()?)),
        4 => i64::from(i32::from_be_bytes(value.try_into().ok()?)),
        8 => i64::from_be_bytes(value.try_into().ok()?),
        _ => return None,
    };
    u64::try_from(signed).ok()
}

fn speaks_of_the_moment(text: &[u8]) -> bool {
    let names = |word: &&[u8]| text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    text.len() <= TIME_BYTES_MAX && WORDS_OF_THE_MOMENT.iter().any(names)
}

#[cfg(test)]
mod tests;

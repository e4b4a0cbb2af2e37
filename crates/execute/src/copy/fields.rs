//! A field of a row, before it is read as a value of some type.

use herd_plan::CopyFormat;
use memchr::memchr;

use super::{binary, csv, text};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Null,
    /// The marker of option DEFAULT.
    Default,
    /// Without escapes and quotes.
    Value(&'a [u8]),
}

/// The `index`-th field of `row`, which is `plain` when nothing in it is escaped or quoted. `None` when the row has fewer or is broken before it: any node
/// will say how.
#[inline]
pub(super) fn field<'a>(
    format: &'a CopyFormat,
    row: &'a [u8],
    index: usize,
    plain: bool,
    scratch: &'a mut Vec<u8>,
) -> Option<Field<'a>> {
    match format {
        CopyFormat::Text(format) if plain => text::plain_field(format, row, index),
        CopyFormat::Text(format) => text::field(format, row, index, scratch),
        CopyFormat::Csv(format) if plain => csv::plain_field(format, row, index),
        CopyFormat::Csv(format) => csv::field(format, row, index, scratch),
        CopyFormat::Binary => binary::field(row, index),
    }
}

/// What stands between the delimiters around the `index`-th field, when nothing hides a delimiter.
#[inline]
pub(super) fn between_delimiters(delimiter: u8, mut row: &[u8], index: usize) -> Option<&[u8]> {
    for _ in 0..index {
        row = &row[memchr(delimiter, row)? + 1..];
    }
    Some(&row[..memchr(delimiter, row).unwrap_or(row.len())])
}

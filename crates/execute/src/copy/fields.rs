//! A field of a row, before it is read as a value of some type.

use herd_plan::CopyFormat;

use super::{binary, csv, text};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field<'a> {
    Null,
    /// The marker of option DEFAULT.
    Default,
    /// Without escapes and quotes.
    Value(&'a [u8]),
}

/// The `index`-th field of `row`. `None` when the row has fewer or is broken before it: any node
/// will say how.
#[inline]
pub(super) fn field<'a>(
    format: &'a CopyFormat,
    row: &'a [u8],
    index: usize,
    scratch: &'a mut Vec<u8>,
) -> Option<Field<'a>> {
    match format {
        CopyFormat::Text(format) => text::field(format, row, index, scratch),
        CopyFormat::Csv(format) => csv::field(format, row, index, scratch),
        CopyFormat::Binary => binary::field(row, index),
    }
}

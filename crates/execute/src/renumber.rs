//! RowDescription and ParameterDescription in the numbers that clients know.

use bytes::BytesMut;
use herd_node::{Numbered, Numbers, Wanted};
use herd_wire::frame::HEADER_BYTES;
use herd_wire::message::Reader;

/// Bytes of a number.
const NUMBER_BYTES: usize = 4;

/// Whether a frame names types or relations by number.
pub fn has_numbers(tag: u8) -> bool {
    matches!(tag, b'T' | b't')
}

/// The first number of the frame that has no counterpart.
pub fn missing(frame: &[u8], numbers: &Numbers) -> Option<Wanted> {
    let mut missing = None;
    each_number(frame, |_, kind, number| {
        if numbers.at_home(kind, number).is_none() {
            missing.get_or_insert(Wanted::AtHome(kind, number));
        }
    });
    missing
}

/// The frame as the home node would have sent it.
pub fn renumber(frame: &[u8], numbers: &Numbers, out: &mut BytesMut) {
    let start = out.len();
    out.extend_from_slice(frame);
    each_number(frame, |at, kind, number| {
        let told = numbers.at_home_or_unknown(kind, number);
        let at = start + at;
        out[at..at + NUMBER_BYTES].copy_from_slice(&told.to_be_bytes());
    });
}

/// Tells where in the frame which number stands; of a malformed frame as far as it goes.
fn each_number(frame: &[u8], mut tell: impl FnMut(usize, Numbered, u32)) {
    let Some((&tag, _)) = frame.split_first() else { return };
    let mut reader = Reader::new(&frame[HEADER_BYTES.min(frame.len())..]);
    let position = |reader: &Reader<'_>| frame.len() - reader.rest().len();
    let Ok(count) = reader.u16() else { return };
    for _ in 0..count {
        if tag == b'T' && reader.string().is_err() {
            return;
        }
        let at = position(&reader);
        let Ok(number) = reader.u32() else { return };
        if tag == b't' {
            tell(at, Numbered::Type, number);
            continue;
        }
        tell(at, Numbered::Relation, number);
        let Ok(_column) = reader.u16() else { return };
        let at = position(&reader);
        let Ok(number) = reader.u32() else { return };
        tell(at, Numbered::Type, number);
        let (Ok(_length), Ok(_modifier), Ok(_format)) = (reader.u16(), reader.u32(), reader.u16())
        else {
            return;
        };
    }
}

#[cfg(test)]
mod tests;

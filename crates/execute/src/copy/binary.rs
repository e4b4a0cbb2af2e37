//! The binary format: a head, rows of counted fields, a trailer.
//!
//! As with lines, each byte is looked at once and only a state is kept between chunks.

use super::StreamError;
use super::fields::Field;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
/// Signature, flags, and the length of the extension.
const HEAD_BYTES: usize = SIGNATURE.len() + 4 + 4;
/// Flags that a reader must understand; none is defined any more.
const CRITICAL_FLAGS: u32 = 0xffff_0000;

/// A piece of the stream that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Head,
    Row,
    Trailer,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug)]
enum Expect {
    Head(Word<HEAD_BYTES>),
    /// The extension of the head.
    Extension {
        bytes: usize,
    },
    FieldCount(Word<2>),
    FieldSize {
        fields: u16,
        word: Word<4>,
    },
    FieldBytes {
        fields: u16,
        bytes: usize,
    },
    Nothing,
}

#[derive(Debug)]
pub(super) struct TupleFinder {
    fields: usize,
    expect: Expect,
}

impl TupleFinder {
    /// `fields` is how many every row must have.
    pub(super) fn new(fields: usize) -> TupleFinder {
        TupleFinder { fields, expect: Expect::Head(Word::default()) }
    }

    /// The part that ends within `data`, and how many bytes complete it.
    pub(super) fn find(&mut self, data: &[u8]) -> Result<Option<(Part, usize)>, StreamError> {
        let mut at = 0;
        while at < data.len() {
            let (expect, part) = self.step(data, &mut at)?;
            self.expect = expect;
            if let Some(part) = part {
                return Ok(Some((part, at)));
            }
        }
        Ok(None)
    }

    fn step(&self, data: &[u8], at: &mut usize) -> Result<(Expect, Option<Part>), StreamError> {
        let next_row = Expect::FieldCount(Word::default());
        Ok(match self.expect {
            Expect::Head(mut word) => match word.take(data, at) {
                None => (Expect::Head(word), None),
                Some(head) => match extension_bytes(&head)? {
                    0 => (next_row, Some(Part::Head)),
                    bytes => (Expect::Extension { bytes }, None),
                },
            },
            Expect::Extension { bytes } => match skip(data, at, bytes) {
                0 => (next_row, Some(Part::Head)),
                bytes => (Expect::Extension { bytes }, None),
            },
            Expect::FieldCount(mut word) => match word.take(data, at) {
                None => (Expect::FieldCount(word), None),
                Some(count) => self.row_begins(i16::from_be_bytes(count))?,
            },
            Expect::FieldSize { fields, mut word } => match word.take(data, at) {
                None => (Expect::FieldSize { fields, word }, None),
                Some(size) => match i32::from_be_bytes(size) {
                    -1 => after_field(fields),
                    size => match usize::try_from(size) {
                        Ok(0) => after_field(fields),
                        Ok(bytes) => (Expect::FieldBytes { fields, bytes }, None),
                        Err(_) => return Err(StreamError::FieldSize),
                    },
                },
            },
            Expect::FieldBytes { fields, bytes } => match skip(data, at, bytes) {
                0 => after_field(fields),
                bytes => (Expect::FieldBytes { fields, bytes }, None),
            },
            Expect::Nothing => return Err(StreamError::DataAfterEnd),
        })
    }

    fn row_begins(&self, count: i16) -> Result<(Expect, Option<Part>), StreamError> {
        if count == -1 {
            return Ok((Expect::Nothing, Some(Part::Trailer)));
        }
        match u16::try_from(count) {
            Ok(fields) if usize::from(fields) == self.fields => Ok(match fields {
                0 => (Expect::FieldCount(Word::default()), Some(Part::Row)),
                fields => (Expect::FieldSize { fields, word: Word::default() }, None),
            }),
            _ => Err(StreamError::FieldCount { count, expected: self.fields }),
        }
    }
}

/// One of `fields` is complete.
fn after_field(fields: u16) -> (Expect, Option<Part>) {
    match fields {
        1 => (Expect::FieldCount(Word::default()), Some(Part::Row)),
        _ => (Expect::FieldSize { fields: fields - 1, word: Word::default() }, None),
    }
}

fn extension_bytes(head: &[u8; HEAD_BYTES]) -> Result<usize, StreamError> {
    let [.., f0, f1, f2, f3, l0, l1, l2, l3] = *head;
    if !head.starts_with(SIGNATURE) || u32::from_be_bytes([f0, f1, f2, f3]) & CRITICAL_FLAGS != 0 {
        return Err(StreamError::Signature);
    }
    usize::try_from(i32::from_be_bytes([l0, l1, l2, l3])).map_err(|_| StreamError::HeaderLength)
}

/// Moves over at most `bytes`; how many of them are still to come.
fn skip(data: &[u8], at: &mut usize, bytes: usize) -> usize {
    let skipped = bytes.min(data.len() - *at);
    *at += skipped;
    bytes - skipped
}

/// A word of `N` bytes that may arrive in pieces.
#[derive(Clone, Copy, Debug)]
struct Word<const N: usize> {
    bytes: [u8; N],
    filled: usize,
}

impl<const N: usize> Default for Word<N> {
    fn default() -> Word<N> {
        Word { bytes: [0; N], filled: 0 }
    }
}

impl<const N: usize> Word<N> {
    fn take(&mut self, data: &[u8], at: &mut usize) -> Option<[u8; N]> {
        if self.filled == 0
            && let Some(&word) = data[*at..].first_chunk::<N>()
        {
            *at += N;
            return Some(word);
        }
        let taken = (N - self.filled).min(data.len() - *at);
        self.bytes[self.filled..self.filled + taken].copy_from_slice(&data[*at..*at + taken]);
        self.filled += taken;
        *at += taken;
        (self.filled == N).then_some(self.bytes)
    }
}

/// The `index`-th field of a complete row.
pub(super) fn field(row: &[u8], index: usize) -> Option<Field<'_>> {
    let (&count, mut rest) = row.split_first_chunk::<2>()?;
    if index >= usize::from(u16::from_be_bytes(count)) {
        return None;
    }
    for _ in 0..index {
        rest = next_field(rest)?.1;
    }
    Some(match next_field(rest)?.0 {
        None => Field::Null,
        Some(value) => Field::Value(value),
    })
}

fn next_field(rest: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (&size, rest) = rest.split_first_chunk::<4>()?;
    let Ok(bytes) = usize::try_from(i32::from_be_bytes(size)) else { return Some((None, rest)) };
    let (value, rest) = rest.split_at_checked(bytes)?;
    Some((Some(value), rest))
}

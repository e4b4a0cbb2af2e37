//! The messages that Herd reads or writes itself after startup, as bytes appended to a buffer.
//!
//! Everything else passes as frames, unread.

use bytes::{BufMut, BytesMut};
use thiserror::Error;

pub const PARSE_COMPLETE: [u8; 5] = *b"1\0\0\0\x04";
pub const BIND_COMPLETE: [u8; 5] = *b"2\0\0\0\x04";
pub const CLOSE_COMPLETE: [u8; 5] = *b"3\0\0\0\x04";
pub const NO_DATA: [u8; 5] = *b"n\0\0\0\x04";
pub const EMPTY_QUERY: [u8; 5] = *b"I\0\0\0\x04";
pub const SYNC: [u8; 5] = *b"S\0\0\0\x04";
pub const FLUSH: [u8; 5] = *b"H\0\0\0\x04";
pub const TERMINATE: [u8; 5] = *b"X\0\0\0\x04";
pub const COPY_DONE: [u8; 5] = *b"c\0\0\0\x04";

/// A message whose body does not read as its tag promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("invalid message format")]
pub struct Malformed;

/// What ReadyForQuery says of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    Idle,
    InBlock,
    Failed,
}

impl TransactionStatus {
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<TransactionStatus> {
        match byte {
            b'I' => Some(TransactionStatus::Idle),
            b'T' => Some(TransactionStatus::InBlock),
            b'E' => Some(TransactionStatus::Failed),
            _ => None,
        }
    }

    #[must_use]
    pub fn as_byte(self) -> u8 {
        match self {
            TransactionStatus::Idle => b'I',
            TransactionStatus::InBlock => b'T',
            TransactionStatus::Failed => b'E',
        }
    }
}

/// Appends a frame; `body` writes what follows the length.
pub fn frame(out: &mut BytesMut, tag: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(tag);
    let length_at = out.len();
    out.put_u32(0);
    body(out);
    let length = u32::try_from(out.len() - length_at).expect("a frame is within FRAME_BYTES_MAX");
    out[length_at..length_at + 4].copy_from_slice(&length.to_be_bytes());
}

fn put_string(out: &mut BytesMut, text: &[u8]) {
    out.put_slice(text);
    out.put_u8(0);
}

pub fn query(out: &mut BytesMut, sql: &[u8]) {
    frame(out, b'Q', |out| put_string(out, sql));
}

pub fn parse(out: &mut BytesMut, name: &[u8], sql: &[u8], types: &[u32]) {
    frame(out, b'P', |out| {
        put_string(out, name);
        put_string(out, sql);
        out.put_u16(
            u16::try_from(types.len()).expect("a Parse that was read has at most u16 types"),
        );
        for &oid in types {
            out.put_u32(oid);
        }
    });
}

/// A Bind without parameters, for statements of Herd's own.
pub fn bind_plain(out: &mut BytesMut, portal: &[u8], statement: &[u8]) {
    bind(out, portal, statement, &[0, 0, 0, 0, 0, 0]);
}

/// A Bind with another statement name: `rest` is what follows the name.
pub fn bind(out: &mut BytesMut, portal: &[u8], statement: &[u8], rest: &[u8]) {
    frame(out, b'B', |out| {
        put_string(out, portal);
        put_string(out, statement);
        out.put_slice(rest);
    });
}

/// The formats and values of parameters, as a Bind has them.
pub fn put_parameters(out: &mut BytesMut, parameters: &[(bool, Option<&[u8]>)]) {
    let count = u16::try_from(parameters.len()).unwrap_or(u16::MAX);
    out.put_u16(count);
    parameters.iter().for_each(|(is_binary, _)| out.put_u16(u16::from(*is_binary)));
    out.put_u16(count);
    parameters.iter().for_each(|(_, value)| put_value(out, *value));
}

pub fn describe_statement(out: &mut BytesMut, name: &[u8]) {
    frame(out, b'D', |out| {
        out.put_u8(b'S');
        put_string(out, name);
    });
}

pub fn describe_portal(out: &mut BytesMut, name: &[u8]) {
    frame(out, b'D', |out| {
        out.put_u8(b'P');
        put_string(out, name);
    });
}

pub fn close_statement(out: &mut BytesMut, name: &[u8]) {
    frame(out, b'C', |out| {
        out.put_u8(b'S');
        put_string(out, name);
    });
}

pub fn close_portal(out: &mut BytesMut, name: &[u8]) {
    frame(out, b'C', |out| {
        out.put_u8(b'P');
        put_string(out, name);
    });
}

pub fn execute(out: &mut BytesMut, portal: &[u8], rows_max: u32) {
    frame(out, b'E', |out| {
        put_string(out, portal);
        out.put_u32(rows_max);
    });
}

pub fn copy_fail(out: &mut BytesMut, reason: &str) {
    frame(out, b'f', |out| put_string(out, reason.as_bytes()));
}

pub fn ready(out: &mut BytesMut, status: TransactionStatus) {
    frame(out, b'Z', |out| out.put_u8(status.as_byte()));
}

pub fn command_complete(out: &mut BytesMut, tag: &str) {
    frame(out, b'C', |out| put_string(out, tag.as_bytes()));
}

pub fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    frame(out, b'S', |out| {
        put_string(out, name.as_bytes());
        put_string(out, value.as_bytes());
    });
}

/// A text column of a result that Herd makes itself.
pub fn row_description(out: &mut BytesMut, columns: &[(&str, u32)]) {
    frame(out, b'T', |out| {
        out.put_u16(u16::try_from(columns.len()).expect("Herd's relations have few columns"));
        for (name, type_oid) in columns {
            put_string(out, name.as_bytes());
            out.put_u32(0);
            out.put_u16(0);
            out.put_u32(*type_oid);
            out.put_i16(-1);
            out.put_i32(-1);
            out.put_u16(0);
        }
    });
}

pub fn data_row<'a>(out: &mut BytesMut, values: impl ExactSizeIterator<Item = Option<&'a [u8]>>) {
    frame(out, b'D', |out| {
        out.put_u16(u16::try_from(values.len()).expect("Herd's relations have few columns"));
        values.for_each(|value| put_value(out, value));
    });
}

fn put_value(out: &mut BytesMut, value: Option<&[u8]>) {
    match value {
        None => out.put_i32(-1),
        Some(bytes) => {
            out.put_i32(i32::try_from(bytes.len()).expect("a value is within a frame"));
            out.put_slice(bytes);
        }
    }
}

/// Reads a message body front to back.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[must_use]
    pub fn new(body: &'a [u8]) -> Reader<'a> {
        Reader { rest: body }
    }

    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (&taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.chunk::<1>().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.chunk().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.chunk().map(u32::from_be_bytes)
    }

    pub fn i32(&mut self) -> Result<i32, Malformed> {
        self.chunk().map(i32::from_be_bytes)
    }

    /// A length and as many bytes; a length of -1 is NULL.
    pub fn value(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let length = self.i32()?;
        if length < 0 {
            return if length == -1 { Ok(None) } else { Err(Malformed) };
        }
        let length = usize::try_from(length).map_err(|_| Malformed)?;
        self.bytes(length).map(Some)
    }

    /// Up to the next zero byte, which is taken too.
    pub fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let end = memchr::memchr(0, self.rest).ok_or(Malformed)?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    pub fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// A Parse from a client.
#[derive(Debug)]
pub struct Parse<'a> {
    pub name: &'a [u8],
    pub sql: &'a [u8],
    /// Big-endian OIDs, as they came.
    types: &'a [u8],
}

impl<'a> Parse<'a> {
    pub fn read(body: &'a [u8]) -> Result<Parse<'a>, Malformed> {
        let mut reader = Reader::new(body);
        let name = reader.string()?;
        let sql = reader.string()?;
        let count = usize::from(reader.u16()?);
        let types = reader.bytes(count * 4)?;
        reader.end()?;
        Ok(Parse { name, sql, types })
    }

    pub fn types(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.types.chunks_exact(4).map(|oid| u32::from_be_bytes([oid[0], oid[1], oid[2], oid[3]]))
    }
}

/// A Bind from a client: its parameters are checked for length, and read in place.
#[derive(Clone, Copy, Debug)]
pub struct Bind<'a> {
    /// All of it.
    pub body: &'a [u8],
    pub portal: &'a [u8],
    pub statement: &'a [u8],
    /// Everything after the statement's name, to be forwarded as it is.
    pub rest: &'a [u8],
    formats: &'a [u8],
    values: &'a [u8],
    pub parameters: u16,
    /// How many, and each.
    pub result_formats: &'a [u8],
}

impl<'a> Bind<'a> {
    pub fn read(body: &'a [u8]) -> Result<Bind<'a>, Malformed> {
        let mut reader = Reader::new(body);
        let portal = reader.string()?;
        let statement = reader.string()?;
        let rest = reader.rest();
        let format_count = usize::from(reader.u16()?);
        let formats = reader.bytes(format_count * 2)?;
        let parameters = reader.u16()?;
        if format_count > 1 && format_count != usize::from(parameters) {
            return Err(Malformed);
        }
        let values = reader.rest();
        for _ in 0..parameters {
            reader.value()?;
        }
        let result_formats = reader.rest();
        let count = usize::from(reader.u16()?);
        reader.bytes(count * 2)?;
        reader.end()?;
        Ok(Bind { body, portal, statement, rest, formats, values, parameters, result_formats })
    }

    /// Whether it is binary, and the bytes of the `index`-th parameter, from 0.
    #[must_use]
    pub fn parameter(&self, index: usize) -> Option<(bool, Option<&'a [u8]>)> {
        if index >= usize::from(self.parameters) {
            return None;
        }
        let mut reader = Reader::new(self.values);
        for _ in 0..index {
            reader.value().ok()?;
        }
        let value = reader.value().ok()?;
        let format = match self.formats.len() {
            0 => 0,
            2 => self.formats[1],
            _ => self.formats[index * 2 + 1],
        };
        Some((format == 1, value))
    }
}

/// The number of the function that a FunctionCall is for.
pub fn read_function_call(body: &[u8]) -> Result<u32, Malformed> {
    let mut reader = Reader::new(body);
    let function = reader.u32()?;
    let format_count = usize::from(reader.u16()?);
    reader.bytes(format_count * 2)?;
    for _ in 0..reader.u16()? {
        reader.value()?;
    }
    reader.u16()?;
    reader.end()?;
    Ok(function)
}

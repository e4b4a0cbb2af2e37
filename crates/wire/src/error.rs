//! Errors and notices on the wire: Herd's own as ErrorResponse, a node's as their fields.

use std::borrow::Cow;
use std::fmt;

use bytes::{Bytes, BytesMut};
use herd_types::{ClientError, Severity, SqlState};
use pgwire::messages::Message;
use pgwire::messages::response::{ErrorResponse, NoticeResponse};

use crate::message::{Malformed, Reader};

/// Fields of one error: PostgreSQL has eighteen kinds, each at most once.
const FIELDS_MAX: usize = 64;

/// Appends an ErrorResponse.
pub fn put_error(out: &mut BytesMut, error: &ClientError) {
    let fields = fields_of(error.severity.as_str(), error);
    put(out, &ErrorResponse::new(fields));
}

/// How loud a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeLevel {
    Notice,
    Warning,
}

/// Appends a NoticeResponse with the words of `error`; its severity is the notice's own.
pub fn put_notice(out: &mut BytesMut, level: NoticeLevel, notice: &ClientError) {
    let level = match level {
        NoticeLevel::Notice => "NOTICE",
        NoticeLevel::Warning => "WARNING",
    };
    put(out, &NoticeResponse::new(fields_of(level, notice)));
}

/// Appends a message whose length the caller has bounded.
pub(crate) fn put(out: &mut BytesMut, message: &impl Message) {
    message.encode(out).expect("the message is within the bounds of its kind");
}

fn fields_of(severity: &str, error: &ClientError) -> Vec<(u8, String)> {
    let mut fields = vec![
        (b'S', severity.to_owned()),
        (b'V', severity.to_owned()),
        (b'C', error.sqlstate.as_str().to_owned()),
        (b'M', without_zeros(&error.message)),
    ];
    if let Some(detail) = &error.detail {
        fields.push((b'D', without_zeros(detail)));
    }
    if let Some(hint) = &error.hint {
        fields.push((b'H', without_zeros(hint)));
    }
    if let Some(position) = error.position {
        fields.push((b'P', position.to_string()));
    }
    fields
}

/// A field ends at its first zero byte, so text that quotes a client must not bring one along.
fn without_zeros(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Reads the fields of an ErrorResponse or NoticeResponse body, in their order.
pub fn fields(body: &[u8]) -> Result<Vec<(u8, &[u8])>, Malformed> {
    let mut reader = Reader::new(body);
    let mut fields = Vec::new();
    loop {
        match reader.u8()? {
            0 => return reader.end().map(|()| fields),
            _ if fields.len() == FIELDS_MAX => return Err(Malformed),
            tag => fields.push((tag, reader.string()?)),
        }
    }
}

/// The value of one field, where the body is well formed and has it.
#[must_use]
pub fn field(body: &[u8], tag: u8) -> Option<&[u8]> {
    fields(body).ok()?.into_iter().find_map(|(found, value)| (found == tag).then_some(value))
}

/// The body with its position so many characters further on; `None` where it has none.
#[must_use]
pub fn moved(body: &[u8], characters: u32) -> Option<Vec<u8>> {
    let position = std::str::from_utf8(field(body, b'P')?).ok()?.parse::<u32>().ok()?;
    let mut out = Vec::with_capacity(body.len() + 8);
    for (tag, value) in fields(body).ok()? {
        out.push(tag);
        if tag == b'P' {
            out.extend_from_slice(position.saturating_add(characters).to_string().as_bytes());
        } else {
            out.extend_from_slice(value);
        }
        out.push(0);
    }
    out.push(0);
    Some(out)
}

/// An error of a node: what Herd must know of it, and its body as it came.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerError {
    /// `V`, or `S` of servers before 9.6.
    pub severity: Option<Severity>,
    pub sqlstate: SqlState,
    pub message: String,
    /// The body of the ErrorResponse, for a client that shall see every field.
    pub body: Bytes,
}

impl ServerError {
    pub fn read(body: Bytes) -> Result<ServerError, Malformed> {
        let mut severity = None;
        let mut sqlstate = None;
        let mut message = Cow::Borrowed("");
        for (tag, value) in fields(&body)? {
            match tag {
                b'V' => severity = severity_of(value),
                b'S' if severity.is_none() => severity = severity_of(value),
                b'C' => sqlstate = SqlState::from_bytes(value),
                b'M' => message = String::from_utf8_lossy(value),
                _ => {}
            }
        }
        let message = message.into_owned();
        Ok(ServerError { severity, sqlstate: sqlstate.ok_or(Malformed)?, message, body })
    }
}

/// PANIC and words that are not known end the connection, as FATAL does.
fn severity_of(word: &[u8]) -> Option<Severity> {
    match word {
        b"ERROR" => Some(Severity::Error),
        _ => Some(Severity::Fatal),
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.sqlstate, self.message)
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerError({self})")
    }
}

impl std::error::Error for ServerError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;

    fn encoded(error: &ClientError) -> BytesMut {
        let mut out = BytesMut::new();
        put_error(&mut out, error);
        out
    }

    #[test]
    fn an_error_of_ours_reads_back_with_all_its_fields() {
        let error = ClientError::error(SqlState::SYNTAX_ERROR, "no")
            .with_detail("a detail")
            .with_hint("a hint")
            .at(7);
        let out = encoded(&error);
        let (header, body) = frame::first(&out).expect("valid").expect("whole");
        assert_eq!(header.tag, b'E');
        assert_eq!(
            fields(body).expect("well formed"),
            [
                (b'S', &b"ERROR"[..]),
                (b'V', b"ERROR"),
                (b'C', b"42601"),
                (b'M', b"no"),
                (b'D', b"a detail"),
                (b'H', b"a hint"),
                (b'P', b"7"),
            ]
        );
        let read = ServerError::read(Bytes::copy_from_slice(body)).expect("well formed");
        assert_eq!(read.severity, Some(Severity::Error));
        assert_eq!(read.sqlstate, SqlState::SYNTAX_ERROR);
        assert_eq!(read.message, "no");
    }

    #[test]
    fn a_position_moves_and_everything_else_stays() {
        let body = b"SERROR\0P12\0p3\0Rparse\0\0";
        assert_eq!(moved(body, 90).expect("it has one"), b"SERROR\0P102\0p3\0Rparse\0\0");
        assert_eq!(moved(b"SERROR\0p3\0\0", 90), None);
        assert_eq!(moved(b"P1x\0\0", 90), None);
    }

    #[test]
    fn a_zero_byte_in_quoted_text_does_not_end_the_field() {
        let out = encoded(&ClientError::fatal(SqlState::SYNTAX_ERROR, "a\0Mb"));
        let (_, body) = frame::first(&out).expect("valid").expect("whole");
        assert_eq!(fields(body).expect("well formed").len(), 4);
    }

    #[test]
    fn an_error_without_code_or_terminator_is_malformed() {
        for body in [&b""[..], b"\0", b"SERROR\0", b"SERROR\0\0", b"C42601\0", b"C42601\0\0x"] {
            assert_eq!(ServerError::read(Bytes::copy_from_slice(body)), Err(Malformed));
        }
    }
}

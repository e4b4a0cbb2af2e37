//! What can be wrong with a COPY stream that Herd has to split.

use herd_types::{ClientError, SqlState};
use thiserror::Error;

use super::limits::ROW_BYTES_MAX;

/// In PostgreSQL's words where PostgreSQL has them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StreamError {
    #[error("literal newline found in data")]
    LiteralNewline,
    #[error("unquoted newline found in data")]
    UnquotedNewline,
    #[error("literal carriage return found in data")]
    LiteralReturn,
    #[error("unquoted carriage return found in data")]
    UnquotedReturn,
    #[error("end-of-copy marker is not alone on its line")]
    EndMarkerNotAlone,
    #[error("a row of more than {ROW_BYTES_MAX} bytes cannot be copied into a fragmented table")]
    RowTooLong,
    #[error("COPY file signature not recognized")]
    Signature,
    #[error("invalid COPY file header (wrong length)")]
    HeaderLength,
    #[error("row field count is {count}, expected {expected}")]
    FieldCount { count: i16, expected: usize },
    #[error("invalid field size")]
    FieldSize,
    #[error("received copy data after EOF marker")]
    DataAfterEnd,
    #[error("column {column:?} of the fragment key cannot take its default in COPY")]
    KeyDefault { column: String },
    #[error("the value of key column {column:?} cannot be read without asking the server")]
    KeyUnsure { column: String },
    #[error("the value of key column {column:?} is not ASCII, and not in the server's encoding")]
    KeyEncoding { column: String },
}

impl StreamError {
    #[must_use]
    pub fn sqlstate(&self) -> SqlState {
        match self {
            StreamError::LiteralNewline
            | StreamError::UnquotedNewline
            | StreamError::LiteralReturn
            | StreamError::UnquotedReturn
            | StreamError::EndMarkerNotAlone
            | StreamError::Signature
            | StreamError::HeaderLength
            | StreamError::FieldCount { .. }
            | StreamError::FieldSize
            | StreamError::DataAfterEnd => SqlState::BAD_COPY_FILE_FORMAT,
            StreamError::RowTooLong => SqlState::PROGRAM_LIMIT_EXCEEDED,
            StreamError::KeyDefault { .. }
            | StreamError::KeyUnsure { .. }
            | StreamError::KeyEncoding { .. } => SqlState::FEATURE_NOT_SUPPORTED,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            StreamError::LiteralNewline => "Use \"\\n\" to represent newline.",
            StreamError::UnquotedNewline => "Use quoted CSV field to represent newline.",
            StreamError::LiteralReturn => "Use \"\\r\" to represent carriage return.",
            StreamError::UnquotedReturn => "Use quoted CSV field to represent carriage return.",
            StreamError::RowTooLong => "INSERT this row instead.",
            StreamError::KeyDefault { .. } => "Give the key's value in the data.",
            StreamError::KeyUnsure { .. } => {
                "Write it in a form that means the same under any setting: ISO 8601 with a time \
                 zone, plain decimal digits."
            }
            StreamError::KeyEncoding { .. } => {
                "Send the data in the server's encoding: SET client_encoding, or the option \
                 ENCODING of COPY."
            }
            StreamError::EndMarkerNotAlone
            | StreamError::Signature
            | StreamError::HeaderLength
            | StreamError::FieldCount { .. }
            | StreamError::FieldSize
            | StreamError::DataAfterEnd => return None,
        })
    }

    /// For the client, who counts lines (rows, when binary) from 1.
    #[must_use]
    pub fn at_line(&self, table: &str, line: u64) -> ClientError {
        let error = ClientError::error(self.sqlstate(), self.to_string())
            .with_detail(format!("COPY {table}, line {line}"));
        match self.hint() {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

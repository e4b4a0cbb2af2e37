//! What a COPY statement says of its stream: all that is needed to find the rows and fields in it.

use herd_types::TableId;

/// COPY … FROM STDIN into a table that is on several nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyIn {
    pub table: TableId,
    /// What the fields of a row are: indices into the table's columns.
    pub columns: Vec<usize>,
    pub format: CopyFormat,
    /// The option ENCODING; without it, the data are in the session's client_encoding.
    pub encoding: Option<String>,
    pub on_error: OnError,
    pub spread: Spread,
}

/// COPY … TO STDOUT of a table that is on several nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyGather {
    pub table: TableId,
    /// What each node is sent.
    pub text: Vec<u8>,
    pub envelope: Envelope,
}

/// What stands around the rows of a stream, and of several streams joined into one only once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    None,
    /// A line with the names of the columns in front.
    HeaderLine,
    /// A header in front and a trailer behind.
    Binary,
}

/// Where the rows go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spread {
    /// A reference table: every row to every node.
    Everywhere,
    /// Each row to the node of its key. For each column of the key, its place among the fields;
    /// `None` where it is not given, and therefore NULL.
    ByKey(Vec<Option<usize>>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyFormat {
    Text(TextFormat),
    Csv(CsvFormat),
    Binary,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFormat {
    pub delimiter: u8,
    pub null: Vec<u8>,
    /// The marker that stands for a column's default.
    pub default: Option<Vec<u8>>,
    /// Whether the first line is a header.
    pub header: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvFormat {
    pub delimiter: u8,
    pub quote: u8,
    pub escape: u8,
    pub null: Vec<u8>,
    pub default: Option<Vec<u8>>,
    pub header: bool,
    /// Places of the fields that are NULL also when the null string is quoted.
    pub force_null: Vec<usize>,
    /// Places of the fields that are never NULL.
    pub force_not_null: Vec<usize>,
}

/// What becomes of a row with a value that its column's type does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    Stop,
    /// It is left out; with more than `reject_limit` such rows the COPY fails.
    Ignore {
        reject_limit: Option<u64>,
    },
}

impl Default for TextFormat {
    fn default() -> TextFormat {
        TextFormat { delimiter: b'\t', null: b"\\N".to_vec(), default: None, header: false }
    }
}

impl CopyFormat {
    #[must_use]
    pub fn is_binary(&self) -> bool {
        matches!(self, CopyFormat::Binary)
    }

    #[must_use]
    pub fn envelope(&self) -> Envelope {
        match self {
            CopyFormat::Binary => Envelope::Binary,
            CopyFormat::Text(TextFormat { header: true, .. })
            | CopyFormat::Csv(CsvFormat { header: true, .. }) => Envelope::HeaderLine,
            CopyFormat::Text(_) | CopyFormat::Csv(_) => Envelope::None,
        }
    }
}

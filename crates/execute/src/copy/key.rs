//! Reads the key of a row: fields in, values in the order of the table's key out.

use herd_catalog::{KeyColumn, KeyError, KeyValue, Modifier, Table};
use herd_plan::CopyFormat;
use smallvec::SmallVec;

use super::StreamError;
use super::fields::{Field, field};
use super::splitter::RowKey;

/// Key columns of most tables.
const KEY_COLUMNS_INLINE: usize = 2;
/// A field of a binary stream is always of its column's type.
const OWN_TYPE: u32 = 0;

/// Whether the bytes of the stream mean the same to Herd as to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEncoding {
    /// The server's own: nothing is converted.
    Server,
    /// Another, of which only ASCII is the same.
    Foreign,
}

#[derive(Debug)]
pub struct KeyReader {
    sources: SmallVec<[KeySource; KEY_COLUMNS_INLINE]>,
    values: SmallVec<[Option<KeyValue>; KEY_COLUMNS_INLINE]>,
    encoding: StreamEncoding,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct KeySource {
    name: String,
    /// Its place among the fields of a row; `None` is NULL in every row.
    field: Option<usize>,
    column: KeyColumn,
    has_default: bool,
}

impl KeyReader {
    /// `fields` tells for each column of the key which field of a row it is.
    #[must_use]
    pub fn new(table: &Table, fields: &[Option<usize>], encoding: StreamEncoding) -> KeyReader {
        let key = table.fragmentation().map(|fragmentation| fragmentation.key());
        let sources = key.unwrap_or_default().iter().zip(fields).map(|(part, &field)| {
            let column = &table.columns[part.column];
            KeySource {
                name: column.name.clone(),
                field,
                column: part.clone(),
                has_default: column.has_default,
            }
        });
        KeyReader {
            sources: sources.collect(),
            values: SmallVec::new(),
            encoding,
            scratch: Vec::new(),
        }
    }

    /// The key of `row`, which has no newline at its end; see [`field`] for `plain`.
    #[inline]
    pub(super) fn read(
        &mut self,
        format: &CopyFormat,
        row: &[u8],
        plain: bool,
    ) -> Result<RowKey<'_>, StreamError> {
        self.values.clear();
        for source in &self.sources {
            let Some(index) = source.field else {
                self.values.push(None);
                continue;
            };
            let field = field(format, row, index, plain, &mut self.scratch);
            match source.read(format, field, self.encoding) {
                Ok(value) => self.values.push(value),
                Err(Unread::Broken) => return Ok(RowKey::Broken),
                Err(Unread::Refused(error)) => return Err(error),
            }
        }
        Ok(RowKey::Known(&self.values))
    }
}

/// Why a row's key has no value.
enum Unread {
    /// Every server will refuse the row.
    Broken,
    Refused(StreamError),
}

impl KeySource {
    #[inline]
    fn read(
        &self,
        format: &CopyFormat,
        field: Option<Field<'_>>,
        encoding: StreamEncoding,
    ) -> Result<Option<KeyValue>, Unread> {
        let bytes = match field.ok_or(Unread::Broken)? {
            Field::Null => return Ok(None),
            Field::Default if self.has_default => {
                return Err(Unread::Refused(StreamError::KeyDefault { column: self.name.clone() }));
            }
            Field::Default => return Err(Unread::Broken),
            Field::Value(bytes) => bytes,
        };
        if encoding == StreamEncoding::Foreign && !bytes.is_ascii() {
            return Err(Unread::Refused(StreamError::KeyEncoding { column: self.name.clone() }));
        }
        match self.value(format, bytes) {
            Ok(value) => Ok(Some(value)),
            Err(KeyError::Invalid) => Err(Unread::Broken),
            Err(KeyError::Unsure) => {
                Err(Unread::Refused(StreamError::KeyUnsure { column: self.name.clone() }))
            }
        }
    }

    /// As the column will store it.
    #[inline]
    fn value(&self, format: &CopyFormat, bytes: &[u8]) -> Result<KeyValue, KeyError> {
        let value = match format {
            CopyFormat::Text(_) | CopyFormat::Csv(_) => self.column.key_type.from_text(bytes),
            CopyFormat::Binary => self.column.key_type.from_binary(OWN_TYPE, bytes),
        };
        match self.column.modifier {
            Modifier::None => value,
            modifier => modifier.store(value?),
        }
    }
}

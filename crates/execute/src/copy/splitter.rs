//! Cuts a COPY stream into rows and reads the key of each: bytes in, rows and keys out.
//!
//! Rows pass verbatim. It knows nothing of nodes: where a key belongs is the sink's business.

use herd_catalog::KeyValue;
use herd_plan::CopyFormat;
use herd_types::ClientError;

use super::StreamError;
use super::binary::{Part, TupleFinder};
use super::key::KeyReader;
use super::limits::ROW_BYTES_MAX;
use super::lines::{Line, LineFinder, Newline, Style};
use super::text;

const END_MARKER: &[u8] = b"\\.";

/// What the sink gets.
#[derive(Debug)]
pub enum Piece<'a> {
    /// Every node needs these bytes: a header line, or the head or the trailer of the binary
    /// format, which have no lines.
    ForAll {
        bytes: &'a [u8],
        lines: u64,
    },
    Row(Row<'a>),
}

#[derive(Debug)]
pub struct Row<'a> {
    pub bytes: &'a [u8],
    pub key: RowKey<'a>,
    /// The line of the client's stream on which it ends, from 1; when binary, its number.
    pub line: u64,
    /// How many lines it has, as PostgreSQL counts them.
    pub lines: u64,
}

#[derive(Debug)]
pub enum RowKey<'a> {
    /// In the order of the table's key.
    Known(&'a [Option<KeyValue>]),
    /// No server takes this row: whichever gets it will raise the error, or leave the row out when
    /// told to ignore errors.
    Broken,
}

/// Splits one stream.
#[derive(Debug)]
pub struct RowSplitter {
    /// Named in errors.
    table: String,
    format: CopyFormat,
    /// Whether a line `\.` ends the stream.
    ends_with_marker: bool,
    finder: Finder,
    stage: Stage,
    key: KeyReader,
    /// The beginning of a row that goes on in the next chunk.
    carried: Vec<u8>,
    line: u64,
}

#[derive(Debug)]
enum Finder {
    Lines(LineFinder),
    Tuples(TupleFinder),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Header,
    Rows,
    /// After an end-of-copy marker, which is not passed on; what follows means nothing.
    Ended,
}

/// A part of the stream that is complete.
#[derive(Clone, Copy, Debug)]
enum Found {
    Line(Line),
    Tuple(Part),
}

/// A row without its newline.
struct Content<'a> {
    bytes: &'a [u8],
    lines: u64,
    /// Nothing in it is escaped or quoted.
    plain: bool,
}

impl RowSplitter {
    /// `fields` is how many each row of a binary stream has. `ends_with_marker` tells whether the
    /// server still takes a line `\.` for the end of a CSV stream, which PostgreSQL 18 does not.
    #[must_use]
    pub fn new(
        table: &str,
        format: CopyFormat,
        fields: usize,
        key: KeyReader,
        ends_with_marker: bool,
    ) -> RowSplitter {
        let (finder, has_header, ends_with_marker) = match &format {
            CopyFormat::Text(text) => {
                (Finder::Lines(LineFinder::new(Style::Text)), text.header, true)
            }
            CopyFormat::Csv(csv) => {
                let escape = (csv.escape != csv.quote).then_some(csv.escape);
                let style = Style::Csv { quote: csv.quote, escape };
                (Finder::Lines(LineFinder::new(style)), csv.header, ends_with_marker)
            }
            CopyFormat::Binary => (Finder::Tuples(TupleFinder::new(fields)), false, false),
        };
        RowSplitter {
            table: table.to_owned(),
            format,
            ends_with_marker,
            finder,
            stage: if has_header { Stage::Header } else { Stage::Rows },
            key,
            carried: Vec::new(),
            line: 0,
        }
    }

    /// Takes the next bytes of the stream, cut anywhere.
    pub fn push(
        &mut self,
        mut data: &[u8],
        sink: &mut impl FnMut(Piece<'_>) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        while !data.is_empty() && self.stage != Stage::Ended {
            let found = self.finder.find(data).map_err(|error| self.in_next_line(&error))?;
            let Some((found, end)) = found else { return self.carry(data) };
            let (piece, rest) = data.split_at(end);
            data = rest;
            if self.carried.is_empty() {
                self.piece(found, piece, sink)?;
            } else {
                self.carry(piece)?;
                let mut whole = std::mem::take(&mut self.carried);
                self.piece(found, &whole, sink)?;
                whole.clear();
                self.carried = whole;
            }
        }
        Ok(())
    }

    /// The stream is at its end. An unfinished row is passed on as it is: PostgreSQL takes a last
    /// line without a newline, and has its own words for a tuple that breaks off.
    pub fn finish(
        &mut self,
        sink: &mut impl FnMut(Piece<'_>) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        if self.stage == Stage::Ended || self.carried.is_empty() {
            return Ok(());
        }
        let rest = std::mem::take(&mut self.carried);
        match &mut self.finder {
            Finder::Lines(finder) => {
                let line = finder.finish(rest.len()).map_err(|error| self.in_next_line(&error))?;
                self.line(&rest, line, sink)
            }
            Finder::Tuples(_) => {
                self.line += 1;
                let (key, line) = (RowKey::Broken, self.line);
                sink(Piece::Row(Row { bytes: &rest, key, line, lines: 1 }))
            }
        }
    }

    fn carry(&mut self, data: &[u8]) -> Result<(), ClientError> {
        if self.carried.len() + data.len() > ROW_BYTES_MAX {
            return Err(self.in_next_line(&StreamError::RowTooLong));
        }
        self.carried.extend_from_slice(data);
        Ok(())
    }

    #[inline]
    fn piece(
        &mut self,
        found: Found,
        bytes: &[u8],
        sink: &mut impl FnMut(Piece<'_>) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        match found {
            Found::Line(line) => self.line(bytes, line, sink),
            Found::Tuple(Part::Head | Part::Trailer) => sink(Piece::ForAll { bytes, lines: 0 }),
            Found::Tuple(Part::Row) => {
                self.line += 1;
                self.row(bytes, Content { bytes, lines: 1, plain: true }, sink)
            }
        }
    }

    fn line(
        &mut self,
        bytes: &[u8],
        Line { newline, plain, .. }: Line,
        sink: &mut impl FnMut(Piece<'_>) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        let content = &bytes[..bytes.len() - newline.bytes()];
        let mut lines = 1;
        self.line += 1;
        if content == END_MARKER && newline != Newline::Unknown && self.ends_with_marker {
            self.stage = Stage::Ended;
            return Ok(());
        }
        match &self.format {
            CopyFormat::Text(_) => {
                if !plain && text::has_end_marker(content) {
                    return Err(StreamError::EndMarkerNotAlone.at_line(&self.table, self.line));
                }
            }
            CopyFormat::Csv(_) if plain => {}
            CopyFormat::Csv(_) => {
                let ending = if newline == Newline::Lf { b'\n' } else { b'\r' };
                lines += memchr::memchr_iter(ending, content).count() as u64;
                self.line += lines - 1;
            }
            CopyFormat::Binary => {}
        }
        if self.stage == Stage::Header {
            self.stage = Stage::Rows;
            return sink(Piece::ForAll { bytes, lines });
        }
        self.row(bytes, Content { bytes: content, lines, plain }, sink)
    }

    #[inline]
    fn row(
        &mut self,
        bytes: &[u8],
        content: Content<'_>,
        sink: &mut impl FnMut(Piece<'_>) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        let line = self.line;
        match self.key.read(&self.format, content.bytes, content.plain) {
            Ok(key) => sink(Piece::Row(Row { bytes, key, line, lines: content.lines })),
            Err(error) => Err(error.at_line(&self.table, line)),
        }
    }

    fn in_next_line(&self, error: &StreamError) -> ClientError {
        error.at_line(&self.table, self.line + 1)
    }
}

impl Finder {
    /// What is completed within `data`, and how many bytes complete it.
    #[inline]
    fn find(&mut self, data: &[u8]) -> Result<Option<(Found, usize)>, StreamError> {
        match self {
            Finder::Lines(lines) => {
                let line = lines.find(data)?;
                Ok(line.map(|line| (Found::Line(line), line.end)))
            }
            Finder::Tuples(tuples) => {
                let part = tuples.find(data)?;
                Ok(part.map(|(part, end)| (Found::Tuple(part), end)))
            }
        }
    }
}

//! Where a row of a text or CSV stream ends, as PostgreSQL sees it, however the bytes arrive.
//!
//! It looks at each byte once and keeps nothing but a state between chunks. What a row contains
//! is not its business.

use memchr::{memchr, memchr2, memchr3};

use super::StreamError;

/// How lines end: the first line decides, and every other must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Newline {
    Unknown,
    Lf,
    Cr,
    CrLf,
}

impl Newline {
    pub(super) fn bytes(self) -> usize {
        match self {
            Newline::Unknown => 0,
            Newline::Lf | Newline::Cr => 1,
            Newline::CrLf => 2,
        }
    }
}

/// What keeps a newline from ending a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A backslash takes the next byte literally.
    Text,
    /// Quotes; `escape` is `None` when a quote is escaped by doubling it.
    Csv { quote: u8, escape: Option<u8> },
}

/// What is known of the unfinished row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Plain,
    /// Text: the next byte is taken literally.
    Escaped,
    Quoted,
    /// Inside quotes, after the escape character.
    QuotedEscape,
    /// A carriage return that ends the row, perhaps together with the next byte.
    AfterCr,
}

/// The end of a line, where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// How many bytes of the chunk belong to it.
    pub end: usize,
    pub newline: Newline,
    /// There is no backslash in it, or in CSV no quote: its fields are as they look.
    pub plain: bool,
}

#[derive(Debug)]
pub(super) struct LineFinder {
    style: Style,
    newline: Newline,
    state: State,
    /// Of the unfinished row.
    plain: bool,
}

impl LineFinder {
    pub(super) fn new(style: Style) -> LineFinder {
        LineFinder { style, newline: Newline::Unknown, state: State::Plain, plain: true }
    }

    /// Where the current row ends; `None` when all of `data` belongs to it and it goes on.
    #[inline]
    pub(super) fn find(&mut self, data: &[u8]) -> Result<Option<Line>, StreamError> {
        if data.is_empty() {
            return Ok(None);
        }
        let end = match (self.state, self.style) {
            (State::AfterCr, _) => {
                self.state = State::Plain;
                Some(self.after_cr(data, 0)?)
            }
            (_, Style::Text) => self.find_text(data)?,
            (_, Style::Csv { quote, escape }) => self.find_csv(data, quote, escape)?,
        };
        Ok(end.map(|end| {
            let plain = std::mem::replace(&mut self.plain, true);
            Line { end, newline: self.newline, plain }
        }))
    }

    /// The stream ends here, with a row of `bytes` that has no newline, or one that could have
    /// become longer.
    pub(super) fn finish(&mut self, bytes: usize) -> Result<Line, StreamError> {
        let mut line = Line { end: bytes, newline: Newline::Unknown, plain: self.plain };
        if self.state == State::AfterCr {
            self.state = State::Plain;
            self.after_cr(&[], 0)?;
            line.newline = self.newline;
        }
        Ok(line)
    }

    fn find_text(&mut self, data: &[u8]) -> Result<Option<usize>, StreamError> {
        let first_is_escaped = self.state == State::Escaped;
        let mut from = 0;
        if self.plain {
            let Some(at) = memchr3(b'\n', b'\r', b'\\', data) else {
                return Ok(None);
            };
            if data[at] != b'\\' {
                return self.end_at(data, at);
            }
            self.plain = false;
            from = at;
        }
        while let Some(found) = memchr2(b'\n', b'\r', &data[from..]) {
            let at = from + found;
            if !is_escaped(data, at, first_is_escaped) {
                self.state = State::Plain;
                return self.end_at(data, at);
            }
            from = at + 1;
        }
        self.state = match is_escaped(data, data.len(), first_is_escaped) {
            true => State::Escaped,
            false => State::Plain,
        };
        Ok(None)
    }

    fn find_csv(
        &mut self,
        data: &[u8],
        quote: u8,
        escape: Option<u8>,
    ) -> Result<Option<usize>, StreamError> {
        let mut from = 0;
        if self.state == State::QuotedEscape {
            self.state = State::Quoted;
            from = 1;
        }
        loop {
            if self.state == State::Quoted {
                let Some(after) = self.leave_quotes(data, from, quote, escape) else {
                    return Ok(None);
                };
                from = after;
            }
            let Some(found) = memchr3(b'\n', b'\r', quote, &data[from..]) else {
                return Ok(None);
            };
            let at = from + found;
            if data[at] != quote {
                return self.end_at(data, at);
            }
            self.state = State::Quoted;
            self.plain = false;
            from = at + 1;
        }
    }

    /// Where the text after the closing quote begins, if there is one.
    fn leave_quotes(
        &mut self,
        data: &[u8],
        mut from: usize,
        quote: u8,
        escape: Option<u8>,
    ) -> Option<usize> {
        let Some(escape) = escape else {
            let at = from + memchr(quote, &data[from..])?;
            self.state = State::Plain;
            return Some(at + 1);
        };
        loop {
            let at = from + memchr2(quote, escape, data.get(from..)?)?;
            if data[at] == quote {
                self.state = State::Plain;
                return Some(at + 1);
            }
            if at + 1 == data.len() {
                self.state = State::QuotedEscape;
                return None;
            }
            from = at + 2;
        }
    }

    /// A newline or carriage return that is not part of a value is at `at`.
    #[inline]
    fn end_at(&mut self, data: &[u8], at: usize) -> Result<Option<usize>, StreamError> {
        if data[at] == b'\n' {
            return match self.newline {
                Newline::Unknown | Newline::Lf => {
                    self.newline = Newline::Lf;
                    Ok(Some(at + 1))
                }
                Newline::Cr | Newline::CrLf => Err(self.stray_newline()),
            };
        }
        match self.newline {
            Newline::Cr => Ok(Some(at + 1)),
            Newline::Lf => Err(self.stray_return()),
            Newline::Unknown | Newline::CrLf if at + 1 == data.len() => {
                self.state = State::AfterCr;
                Ok(None)
            }
            Newline::Unknown | Newline::CrLf => self.after_cr(data, at + 1).map(Some),
        }
    }

    /// The row's end when a carriage return came just before `next`.
    fn after_cr(&mut self, data: &[u8], next: usize) -> Result<usize, StreamError> {
        if data.get(next) == Some(&b'\n') {
            self.newline = Newline::CrLf;
            return Ok(next + 1);
        }
        if self.newline == Newline::CrLf {
            return Err(self.stray_return());
        }
        self.newline = Newline::Cr;
        Ok(next)
    }

    fn stray_newline(&self) -> StreamError {
        match self.style {
            Style::Text => StreamError::LiteralNewline,
            Style::Csv { .. } => StreamError::UnquotedNewline,
        }
    }

    fn stray_return(&self) -> StreamError {
        match self.style {
            Style::Text => StreamError::LiteralReturn,
            Style::Csv { .. } => StreamError::UnquotedReturn,
        }
    }
}

/// Whether an odd number of backslashes stands before `at`.
#[inline]
fn is_escaped(data: &[u8], at: usize, first_is_escaped: bool) -> bool {
    let before = &data[..at];
    if before.last().is_some_and(|&byte| byte != b'\\') {
        return false;
    }
    let run = before.iter().rev().take_while(|&&byte| byte == b'\\').count();
    let carried = first_is_escaped && run == at;
    (run + usize::from(carried)) % 2 == 1
}

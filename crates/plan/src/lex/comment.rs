//! What stands between tokens: white space and comments.

use memchr::memchr2;

use super::{LexError, LexErrorKind};

/// Whether a comment starts at `at`.
#[inline]
pub(super) fn starts(sql: &[u8], at: usize) -> bool {
    matches!((sql[at], sql.get(at + 1)), (b'-', Some(b'-')) | (b'/', Some(b'*')))
}

/// The end of the comment that starts at `start`.
pub(super) fn end(sql: &[u8], start: usize) -> Result<usize, LexError> {
    match sql[start] {
        b'-' => Ok(end_of_line(sql, start + 2)),
        _ => end_of_nested(sql, start),
    }
}

/// The position of the next byte that is neither white space nor in a comment.
pub(super) fn skip_blanks(sql: &[u8], mut at: usize) -> Result<usize, LexError> {
    loop {
        match sql.get(at) {
            Some(&byte) if is_space(byte) => at += 1,
            Some(_) if starts(sql, at) => at = end(sql, at)?,
            _ => return Ok(at),
        }
    }
}

#[inline]
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0C | 0x0B)
}

/// The newline that ends a `--` comment, or the end of the text.
pub(super) fn end_of_line(sql: &[u8], from: usize) -> usize {
    memchr2(b'\n', b'\r', &sql[from..]).map_or(sql.len(), |length| from + length)
}

/// The end of a comment in which others may nest.
fn end_of_nested(sql: &[u8], start: usize) -> Result<usize, LexError> {
    let mut depth = 1_usize;
    let mut at = start + 2;
    loop {
        let Some(length) = memchr2(b'*', b'/', &sql[at..]) else {
            return Err(LexError::new(LexErrorKind::UnterminatedComment, start, sql.len()));
        };
        at += length;
        match (sql[at], sql.get(at + 1)) {
            (b'*', Some(b'/')) => {
                at += 2;
                depth -= 1;
                if depth == 0 {
                    return Ok(at);
                }
            }
            (b'/', Some(b'*')) => {
                at += 2;
                depth += 1;
            }
            _ => at += 1,
        }
    }
}

//! Which line of the client's stream a line of a node's stream is: errors are to name the former.
//!
//! Only so much is remembered as may be on its way: an error about an older row keeps the node's
//! own count.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

use super::limits::LINE_MAP_BYTES_MAX;

/// Bits of one byte that carry a number.
const DIGIT_BITS: u32 = 7;
const MORE: u8 = 1 << DIGIT_BITS;

/// The rows that one node was sent, most of them in one byte each.
#[derive(Debug, Default)]
pub(super) struct LineMap {
    /// For each row, how many lines further it is in the client's stream, and in the node's.
    steps: VecDeque<u8>,
    before: Position,
    last: Position,
}

/// The last lines of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    client: u64,
    node: u64,
}

impl LineMap {
    /// A row of so many lines is sent, the last of which is `client_line` of the client's stream.
    #[inline]
    pub(super) fn push(&mut self, client_line: u64, lines: u64) {
        if lines == 0 {
            return;
        }
        let client_step = client_line - self.last.client;
        self.last = Position { client: client_line, node: self.last.node + lines };
        let many = u64::from(lines != 1);
        self.put(client_step << 1 | many);
        if lines != 1 {
            self.put(lines);
        }
        while self.steps.len() > LINE_MAP_BYTES_MAX {
            self.before = advance(self.before, &mut self.steps.iter().copied());
            self.drop_first();
        }
    }

    #[inline]
    fn put(&mut self, mut number: u64) {
        while number >= u64::from(MORE) {
            self.steps.push_back(number as u8 | MORE);
            number >>= DIGIT_BITS;
        }
        self.steps.push_back(number as u8);
    }

    fn drop_first(&mut self) {
        let many = self.steps.front().is_some_and(|first| first & 1 == 1);
        for _ in 0..=usize::from(many) {
            while self.steps.pop_front().is_some_and(|digit| digit & MORE != 0) {}
        }
    }

    /// The client's line for a line of the node, while it is remembered.
    fn client_line(&self, node_line: u64) -> Option<u64> {
        let mut steps = self.steps.iter().copied().peekable();
        let mut position = self.before;
        while position.node < node_line {
            steps.peek()?;
            position = advance(position, &mut steps);
        }
        (position.node == node_line && position != self.before).then_some(position.client)
    }

    /// The body of an error or notice of the node, with the client's line where it tells one.
    pub(super) fn translate(&self, body: Bytes, table: &str) -> Bytes {
        let Ok(fields) = herd_wire::error::fields(&body) else { return body };
        let mut translated = BytesMut::with_capacity(body.len());
        for (tag, value) in fields {
            let marker = match tag {
                b'W' => format!("COPY {table}, "),
                b'M' => "skipping row due to data type incompatibility at line ".to_owned(),
                _ => String::new(),
            };
            translated.put_u8(tag);
            match self.in_text(value, marker.as_bytes()) {
                Some(value) => translated.put_slice(&value),
                None => translated.put_slice(value),
            }
            translated.put_u8(0);
        }
        translated.put_u8(0);
        translated.freeze()
    }

    /// Replaces the first number after `marker`; what stands between depends on the language.
    fn in_text(&self, text: &[u8], marker: &[u8]) -> Option<Vec<u8>> {
        if marker.is_empty() {
            return None;
        }
        let after = memchr::memmem::find(text, marker)? + marker.len();
        let start = after + text[after..].iter().position(u8::is_ascii_digit)?;
        let length = text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = std::str::from_utf8(&text[start..start + length]).ok()?;
        let line = self.client_line(digits.parse().ok()?)?;
        let (before, rest) = (&text[..start], &text[start + length..]);
        Some([before, line.to_string().as_bytes(), rest].concat())
    }
}

/// One row further.
fn advance(from: Position, steps: &mut impl Iterator<Item = u8>) -> Position {
    let step = take(steps);
    let lines = if step & 1 == 1 { take(steps) } else { 1 };
    Position { client: from.client + (step >> 1), node: from.node + lines }
}

fn take(steps: &mut impl Iterator<Item = u8>) -> u64 {
    let mut number = 0;
    let mut shift = 0;
    for digit in steps {
        number |= u64::from(digit & !MORE) << shift;
        if digit & MORE == 0 {
            break;
        }
        shift += DIGIT_BITS;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn context(line: u64) -> Bytes {
        format!(
            "SERROR\0C22P02\0Mbad 7\0WPL/pgSQL f() line 3\nCOPY t, line {line}, column k: \"9\"\0\0"
        )
        .into()
    }

    #[test]
    fn the_context_of_an_error_names_the_clients_line() {
        let mut lines = LineMap::default();
        for line in [1, 4, 400, 70_000] {
            lines.push(line, 1);
        }
        assert_eq!(lines.translate(context(3), "t"), context(400));
        assert_eq!(lines.translate(context(4), "t"), context(70_000));
        assert_eq!(lines.translate(context(5), "t"), context(5));
        assert_eq!(lines.translate(context(3), "u"), context(3));
        let malformed = Bytes::from_static(b"no fields");
        assert_eq!(lines.translate(malformed.clone(), "t"), malformed);
    }

    #[test]
    fn rows_long_gone_are_forgotten() {
        let mut lines = LineMap::default();
        let rows = 3 * LINE_MAP_BYTES_MAX as u64;
        (1..=rows).for_each(|row| lines.push(row * 2, 1));
        assert!(lines.steps.len() <= LINE_MAP_BYTES_MAX);
        assert_eq!(lines.client_line(rows), Some(rows * 2));
        assert_eq!(lines.client_line(1), None);
    }

    proptest! {
        #[test]
        fn every_row_is_found_by_its_last_line(
            rows in prop::collection::vec((0_u64..1_000_000, 1_u64..200), 1..50),
        ) {
            let mut lines = LineMap::default();
            let mut expected = Vec::new();
            let (mut client, mut node) = (0, 0);
            for (skipped, length) in rows {
                client += skipped + length;
                node += length;
                lines.push(client, length);
                expected.push((node, client));
            }
            for (node, client) in expected {
                prop_assert_eq!(lines.client_line(node), Some(client));
            }
        }
    }
}

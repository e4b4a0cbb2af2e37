//! Edits of a statement's own text. What is not edited stays byte for byte.

use std::ops::Range;

/// Pieces of `text` to be replaced, none overlapping another.
#[derive(Clone, Debug)]
pub struct Splice<'a> {
    text: &'a str,
    edits: Vec<(Range<usize>, String)>,
}

impl<'a> Splice<'a> {
    pub fn new(text: &'a str) -> Splice<'a> {
        Splice { text, edits: Vec::new() }
    }

    pub fn replace(&mut self, span: Range<usize>, by: impl Into<String>) {
        self.edits.push((span, by.into()));
    }

    pub fn cut(&mut self, span: Range<usize>) {
        self.replace(span, "");
    }

    pub fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.replace(at..at, text);
    }

    /// The edited text of `span`; edits outside of it do not count.
    pub fn render(&self, span: Range<usize>) -> String {
        let mut edits: Vec<_> = self
            .edits
            .iter()
            .filter(|(edit, _)| span.start <= edit.start && edit.end <= span.end)
            .collect();
        edits.sort_by_key(|(edit, _)| (edit.start, edit.end));
        let mut rendered = String::with_capacity(span.len());
        let mut at = span.start;
        for (edit, by) in edits {
            rendered.push_str(&self.text[at..edit.start.max(at)]);
            rendered.push_str(by);
            at = edit.end.max(at);
        }
        rendered.push_str(&self.text[at..span.end]);
        rendered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_apply_in_the_order_of_the_text() {
        let mut splice = Splice::new("create table t (a int) with (x)");
        splice.cut(22..31);
        splice.replace(13..14, "\"s\".\"t\"");
        splice.insert(22, " partition by hash (a)");
        assert_eq!(splice.render(0..31), "create table \"s\".\"t\" (a int) partition by hash (a)");
    }

    #[test]
    fn edits_outside_of_the_span_do_not_count() {
        let mut splice = Splice::new("a, b, c");
        splice.replace(0..1, "x");
        splice.replace(3..4, "y");
        assert_eq!(splice.render(3..7), "y, c");
    }
}

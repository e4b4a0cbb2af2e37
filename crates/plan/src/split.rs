//! Where the statements of a query string end.
//!
//! A semicolon ends a statement unless it stands in parentheses (CREATE RULE) or in the
//! `BEGIN ATOMIC … END` body of a routine. In such a body END ends it only where a statement could
//! begin, as in PostgreSQL's grammar, so that `CASE … END` and a column named `end` do no harm.

use std::ops::Range;

use crate::lex::{Kind, Token};

/// The statements among `tokens`, as ranges of tokens without their semicolons. None is empty.
#[must_use]
pub fn split(sql: &[u8], tokens: &[Token]) -> Vec<Range<usize>> {
    let mut statements = Vec::new();
    let mut splitter = Splitter { sql, tokens, depth: 0, bodies: 0, routine: false };
    let mut at = 0;
    while at < tokens.len() {
        let end = splitter.end_of_statement(at);
        if end > at {
            statements.push(at..end);
        }
        at = end + 1;
    }
    statements
}

struct Splitter<'a> {
    sql: &'a [u8],
    tokens: &'a [Token],
    /// Open parentheses.
    depth: usize,
    /// Open BEGIN ATOMIC bodies: a routine may be created within one, as far as the grammar goes.
    bodies: usize,
    /// Whether the innermost statement creates a routine whose body has not come yet.
    routine: bool,
}

impl Splitter<'_> {
    /// The index of the semicolon that ends the statement at `start`, or of the end.
    fn end_of_statement(&mut self, start: usize) -> usize {
        (self.depth, self.bodies) = (0, 0);
        self.routine = self.creates_routine(start);
        let mut at = start;
        while let Some(token) = self.tokens.get(at) {
            match token.kind {
                Kind::LeftParen => self.depth += 1,
                Kind::RightParen => self.depth = self.depth.saturating_sub(1),
                Kind::Semicolon if self.depth > 0 => {}
                Kind::Semicolon if self.bodies > 0 => at += self.begin_in_body(at + 1),
                Kind::Semicolon => return at,
                Kind::Word if self.routine && self.depth == 0 && self.begins_body(at) => {
                    self.bodies += 1;
                    at += 1 + self.begin_in_body(at + 2);
                }
                _ => {}
            }
            at += 1;
        }
        at
    }

    /// Looks at what begins at `at` in a body, and gives the number of tokens it has read.
    fn begin_in_body(&mut self, at: usize) -> usize {
        if self.is_word(at, "end") {
            self.bodies -= 1;
            self.routine = false;
            return 1;
        }
        self.routine = self.creates_routine(at);
        0
    }

    fn begins_body(&self, at: usize) -> bool {
        self.is_word(at, "begin") && self.is_word(at + 1, "atomic")
    }

    fn creates_routine(&self, at: usize) -> bool {
        let replaces = self.is_word(at + 1, "or") && self.is_word(at + 2, "replace");
        let object = if replaces { at + 3 } else { at + 1 };
        self.is_word(at, "create")
            && (self.is_word(object, "function") || self.is_word(object, "procedure"))
    }

    fn is_word(&self, at: usize, word: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is_word(self.sql, word))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::split;
    use crate::lex;

    fn check(sql: &str, expected: Expect) {
        let tokens = lex::tokens(sql.as_bytes()).unwrap();
        let mut actual = String::new();
        for statement in split(sql.as_bytes(), &tokens) {
            let (first, last) = (tokens[statement.start], tokens[statement.end - 1]);
            actual += &sql[first.start as usize..last.end as usize];
            actual.push('\n');
        }
        expected.assert_eq(&actual);
    }

    #[test]
    fn semicolons_separate_and_empty_statements_vanish() {
        check(
            ";; select 1; ;select ';' ; -- ;\n /* ; */ select $$;$$;",
            expect![[r#"
            select 1
            select ';'
            select $$;$$
        "#]],
        );
    }

    #[test]
    fn parentheses_hold_semicolons() {
        check(
            "create rule r as on insert to t do (select 1; select 2); select 3",
            expect![[r#"
            create rule r as on insert to t do (select 1; select 2)
            select 3
        "#]],
        );
    }

    #[test]
    fn unbalanced_parentheses_end_with_the_text() {
        check("select (1; select 2", expect!["select (1; select 2\n"]);
        check(
            "select 1); select 2",
            expect![[r#"
            select 1)
            select 2
        "#]],
        );
    }

    #[test]
    fn atomic_bodies_hold_semicolons() {
        check(
            "create or replace function f(a int) returns int begin atomic
             select case when a > 1 then 1 end; select 1 end; select 1 as end; end; select 2",
            expect![[r#"
                create or replace function f(a int) returns int begin atomic
                             select case when a > 1 then 1 end; select 1 end; select 1 as end; end
                select 2
            "#]],
        );
        check(
            "create procedure p() begin atomic end; select 1",
            expect![[r#"
            create procedure p() begin atomic end
            select 1
        "#]],
        );
    }

    #[test]
    fn only_routines_have_atomic_bodies() {
        check(
            "select begin atomic; select 2",
            expect![[r#"
            select begin atomic
            select 2
        "#]],
        );
        check(
            "begin; select 1; end; select 2",
            expect![[r#"
            begin
            select 1
            end
            select 2
        "#]],
        );
    }

    #[test]
    fn routines_nest() {
        check(
            "create function f() begin atomic create function g() begin atomic select 1; end;
             select begin atomic; end; select 3",
            expect![[r#"
                create function f() begin atomic create function g() begin atomic select 1; end;
                             select begin atomic; end
                select 3
            "#]],
        );
    }
}

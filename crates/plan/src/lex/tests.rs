//! The lexer against the rules of PostgreSQL's `scan.l`.

use expect_test::{Expect, expect};

use super::tokens;

fn check(sql: &str, expected: Expect) {
    let actual = match tokens(sql.as_bytes()) {
        Ok(tokens) => tokens
            .iter()
            .map(|token| format!("{:?} {}\n", token.kind, &sql[token.span()]))
            .collect(),
        Err(error) => format!("{:?} at {}..{}\n", error.kind, error.start, error.end),
    };
    expected.assert_eq(&actual);
}

#[test]
fn first() {
    check("select 1", expect![[]]);
}

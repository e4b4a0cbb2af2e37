//! Where statements go, rule by rule.
//!
//! Each test names a statement and what becomes of it. The herd is that of [`herd`]; the answers
//! themselves are compared with a real PostgreSQL by the crate's integration tests.

mod filters;
mod herd;
mod keys;
mod values;

use expect_test::Expect;

use herd::explain;

fn check(sql: &str, expected: Expect) {
    expected.assert_eq(&explain(sql, &[]));
}

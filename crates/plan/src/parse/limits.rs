//! How large a statement may be for its grammar to be read.

/// Nested expressions and queries, as sqlparser counts them.
pub(super) const EXPRESSION_DEPTH_MAX: usize = 128;

/// Parentheses and brackets within each other.
pub(super) const PARENTHESES_DEPTH_MAX: usize = 64;

/// Operators, AND and OR among them: sqlparser builds a chain of them as a tree as deep as the
/// chain is long.
pub(super) const OPERATORS_MAX: usize = 2_000;

/// Tokens that are not part of a list of constants.
pub(super) const TOKENS_MAX: usize = 200_000;

/// From this many elements on, a list of constants is read from its tokens alone.
pub(super) const BULK_ELEMENTS_MIN: usize = 16;

//! How much work an analysis may be.

/// Queries and tables looked at, those of a CTE once for each of its uses.
pub(super) const STEPS_MAX: usize = 10_000;

/// Facts looked at to find out what equals one column.
pub(super) const CLOSURE_STEPS_MAX: usize = 200_000;

/// Alternatives of an OR that are taken for a list of keys.
pub(super) const ALTERNATIVES_MAX: usize = 4_096;

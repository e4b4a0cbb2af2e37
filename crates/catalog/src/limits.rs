//! How large a catalog may grow.

/// PostgreSQL's own limit on the columns of a partition key.
pub const KEY_COLUMNS_MAX: usize = 32;

/// Fragments of one table.
pub const FRAGMENTS_PER_TABLE_MAX: usize = 16_384;

/// The greatest modulus of a hash fragment: routing keeps one slot for each remainder.
pub const HASH_MODULUS_MAX: u32 = 65_536;

/// Decimal digits of a numeric key, on either side of the point.
pub const NUMERIC_KEY_DIGITS_MAX: usize = 4_096;

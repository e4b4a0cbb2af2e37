//! The types that a fragment key may have, and values of them.

use serde::{Deserialize, Serialize};

/// A column type whose hash and order Herd computes as PostgreSQL does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyType {
    Bool,
    Int2,
    Int4,
    Int8,
    Text,
    Varchar,
    Bpchar,
    Uuid,
    Date,
    Timestamp,
    Timestamptz,
    Numeric,
    Bytea,
}

/// A non-NULL value of a key column, in a form that hashes and compares as in PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyValue {
    Bool(bool),
    /// int2, int4 and int8: one hash family, equal values hash alike.
    Int(i64),
    /// text, varchar, and bpchar without its trailing blanks; in the server's encoding.
    Text(Box<[u8]>),
    Uuid([u8; 16]),
    /// Days since 2000-01-01; `i32::MIN` and `i32::MAX` are the infinities.
    Date(i32),
    /// Microseconds since 2000-01-01, UTC for timestamptz; the extremes are the infinities.
    Timestamp(i64),
    /// Normalised decimal text without trailing zeros, or `NaN`, `Infinity`, `-Infinity`.
    Numeric(Box<str>),
    Bytea(Box<[u8]>),
}

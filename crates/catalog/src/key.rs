//! The types that a fragment key may have, and values of them.
//!
//! Values come from text and binary parameters, from literals and from COPY data. Each is read as
//! PostgreSQL's own input function reads it, or not at all: see [`KeyError`].

mod binary;
mod datetime;
mod declared;
mod modifier;
mod numeric;
mod print;
mod text;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

pub use modifier::Modifier;
pub use numeric::{Decimal, Numeric};

/// Bytes of a key value; short ones need no allocation.
pub type KeyBytes = SmallVec<[u8; 24]>;

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
///
/// Values of one type are ordered as that type's default btree operators order them; texts as
/// under collation `"C"`. The order of values of different types means nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyValue {
    Bool(bool),
    /// int2, int4 and int8: one hash family, equal values hash alike.
    Int(i64),
    /// text, varchar, and bpchar without its trailing blanks; in the server's encoding.
    Text(KeyBytes),
    Uuid([u8; 16]),
    /// Days since 2000-01-01; `i32::MIN` and `i32::MAX` are the infinities.
    Date(i32),
    /// Microseconds since 2000-01-01, UTC for timestamptz; the extremes are the infinities.
    Timestamp(i64),
    Numeric(Numeric),
    Bytea(KeyBytes),
}

/// Why a key value could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No server accepts it: any node will raise the right error.
    #[error("the server rejects this value")]
    Invalid,
    /// What it means depends on the server's version or settings, or is not known here: the
    /// statement must not be routed by it.
    #[error("what this value means depends on the server")]
    Unsure,
}

impl KeyType {
    /// The type that `format_type` prints as `type_name`, with its modifier.
    #[must_use]
    pub fn from_type_name(type_name: &str) -> Option<(KeyType, Modifier)> {
        modifier::parse_type_name(type_name)
    }

    #[must_use]
    pub fn from_oid(oid: u32) -> Option<KeyType> {
        Some(match oid {
            16 => KeyType::Bool,
            17 => KeyType::Bytea,
            20 => KeyType::Int8,
            21 => KeyType::Int2,
            23 => KeyType::Int4,
            25 => KeyType::Text,
            1042 => KeyType::Bpchar,
            1043 => KeyType::Varchar,
            1082 => KeyType::Date,
            1114 => KeyType::Timestamp,
            1184 => KeyType::Timestamptz,
            1700 => KeyType::Numeric,
            2950 => KeyType::Uuid,
            _ => return None,
        })
    }

    #[must_use]
    pub fn oid(self) -> u32 {
        match self {
            KeyType::Bool => 16,
            KeyType::Bytea => 17,
            KeyType::Int8 => 20,
            KeyType::Int2 => 21,
            KeyType::Int4 => 23,
            KeyType::Text => 25,
            KeyType::Bpchar => 1042,
            KeyType::Varchar => 1043,
            KeyType::Date => 1082,
            KeyType::Timestamp => 1114,
            KeyType::Timestamptz => 1184,
            KeyType::Numeric => 1700,
            KeyType::Uuid => 2950,
        }
    }

    /// As SQL names it, without a modifier.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            KeyType::Bool => "boolean",
            KeyType::Int2 => "smallint",
            KeyType::Int4 => "integer",
            KeyType::Int8 => "bigint",
            KeyType::Text => "text",
            KeyType::Varchar => "character varying",
            KeyType::Bpchar => "bpchar",
            KeyType::Uuid => "uuid",
            KeyType::Date => "date",
            KeyType::Timestamp => "timestamp without time zone",
            KeyType::Timestamptz => "timestamp with time zone",
            KeyType::Numeric => "numeric",
            KeyType::Bytea => "bytea",
        }
    }

    /// Whether its values are ordered by a collation: ranges over it need collation `"C"`.
    #[must_use]
    pub fn is_collated(self) -> bool {
        matches!(self, KeyType::Text | KeyType::Varchar | KeyType::Bpchar)
    }

    fn is_integer(self) -> bool {
        matches!(self, KeyType::Int2 | KeyType::Int4 | KeyType::Int8)
    }
}

//! The hash by which PostgreSQL chooses a hash partition.
//!
//! [`partition_hash`] is PostgreSQL's `compute_partition_hash_value`: each key column is hashed
//! by its type's extended hash function with a fixed seed, and the hashes are combined.
//! Collations are taken to be deterministic: whoever declares a table checks it.

mod lookup3;
#[cfg(test)]
mod tests;

use crate::key::{Decimal, KeyValue, Numeric};

/// `HASH_PARTITION_SEED` of PostgreSQL.
pub const PARTITION_SEED: u64 = 0x7A5B_2236_7996_DCFD;

/// The hash of a key, whose remainder by the modulus tells the partition. NULL columns do not
/// take part.
#[must_use]
#[inline]
pub fn partition_hash(key: &[Option<KeyValue>]) -> u64 {
    key.iter().flatten().fold(0, |hash, value| combine(hash, extended_hash(value, PARTITION_SEED)))
}

/// What the type's extended hash function returns: `hashint8extended`, `hashtextextended`, …
#[must_use]
#[inline]
pub fn extended_hash(value: &KeyValue, seed: u64) -> u64 {
    match value {
        KeyValue::Bool(value) => lookup3::hash_u32(u32::from(*value), seed),
        KeyValue::Int(value) => hash_int(*value, seed),
        KeyValue::Text(bytes) | KeyValue::Bytea(bytes) => lookup3::hash_bytes(bytes, seed),
        KeyValue::Uuid(bytes) => lookup3::hash_bytes(bytes, seed),
        KeyValue::Date(days) => lookup3::hash_u32(days.cast_unsigned(), seed),
        KeyValue::Timestamp(micros) => hash_int(*micros, seed),
        KeyValue::Numeric(number) => hash_numeric(number, seed),
    }
}

/// `hashint8extended`, which agrees with int4's and int2's on their values.
#[inline]
fn hash_int(value: i64, seed: u64) -> u64 {
    let low = value as u32;
    let high = (value >> 32) as u32;
    let folded = low ^ if value >= 0 { high } else { !high };
    lookup3::hash_u32(folded, seed)
}

fn hash_numeric(number: &Numeric, seed: u64) -> u64 {
    match number {
        Numeric::NaN | Numeric::Infinity | Numeric::NegativeInfinity => seed,
        Numeric::Finite(decimal) if decimal.digits().is_empty() => seed.wrapping_sub(1),
        Numeric::Finite(decimal) => hash_digits(decimal, seed) ^ weight_bits(decimal),
    }
}

/// The digits in memory, as a little-endian server holds them; the sign does not take part.
fn hash_digits(decimal: &Decimal, seed: u64) -> u64 {
    let bytes: smallvec::SmallVec<[u8; 32]> =
        decimal.digits().iter().flat_map(|digit| digit.to_le_bytes()).collect();
    lookup3::hash_bytes(&bytes, seed)
}

fn weight_bits(decimal: &Decimal) -> u64 {
    i64::from(decimal.weight()).cast_unsigned()
}

/// `hash_combine64`.
fn combine(hash: u64, value: u64) -> u64 {
    hash ^ value
        .wrapping_add(0x49a0_f4dd_15e5_a8e3)
        .wrapping_add(hash << 54)
        .wrapping_add(hash >> 7)
}

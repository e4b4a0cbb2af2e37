//! Sort keys in PostgreSQL's binary formats, and how they compare.

use std::cmp::Ordering;

use thiserror::Error;

use crate::numeric;

const DAYS_PER_MONTH: i128 = 30;
const MICROSECONDS_PER_DAY: i128 = 86_400_000_000;
/// What a NULL has in the place of its length.
const NULL: i32 = -1;

/// A value that is not what its type's binary format allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a sort key is not in its type's binary format")]
pub struct MalformedKey;

/// Types whose order can be told from their binary format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    Bool,
    Int2,
    /// And date.
    Int4,
    /// And timestamps, times and money.
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    Interval,
    /// bytea and uuid.
    Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    pub key_type: KeyType,
    pub descending: bool,
    pub nulls_first: bool,
}

/// An ORDER BY. A key of it is the values of one row, each with its length in front, as in a DataRow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    keys: Box<[SortKey]>,
}

impl KeyType {
    /// By the type's number, which for PostgreSQL's own is the same everywhere.
    #[must_use]
    pub fn of(type_number: u32) -> Option<KeyType> {
        Some(match type_number {
            16 => KeyType::Bool,
            21 => KeyType::Int2,
            23 | 1082 => KeyType::Int4,
            20 | 790 | 1083 | 1114 | 1184 => KeyType::Int8,
            26 => KeyType::Oid,
            700 => KeyType::Float4,
            701 => KeyType::Float8,
            1700 => KeyType::Numeric,
            1186 => KeyType::Interval,
            17 | 2950 => KeyType::Bytes,
            _ => return None,
        })
    }

    fn compare(self, a: &[u8], b: &[u8]) -> Result<Ordering, MalformedKey> {
        Ok(match self {
            KeyType::Bool => u8::from_be_bytes(fixed(a)?).cmp(&u8::from_be_bytes(fixed(b)?)),
            KeyType::Int2 => i16::from_be_bytes(fixed(a)?).cmp(&i16::from_be_bytes(fixed(b)?)),
            KeyType::Int4 => i32::from_be_bytes(fixed(a)?).cmp(&i32::from_be_bytes(fixed(b)?)),
            KeyType::Int8 => i64::from_be_bytes(fixed(a)?).cmp(&i64::from_be_bytes(fixed(b)?)),
            KeyType::Oid => u32::from_be_bytes(fixed(a)?).cmp(&u32::from_be_bytes(fixed(b)?)),
            KeyType::Float4 => {
                let [a, b] = [f32::from_be_bytes(fixed(a)?), f32::from_be_bytes(fixed(b)?)];
                compare_floats(a.into(), b.into())
            }
            KeyType::Float8 => {
                compare_floats(f64::from_be_bytes(fixed(a)?), f64::from_be_bytes(fixed(b)?))
            }
            KeyType::Numeric => numeric::compare(a, b)?,
            KeyType::Interval => span(a)?.cmp(&span(b)?),
            KeyType::Bytes => a.cmp(b),
        })
    }
}

impl Order {
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = SortKey>) -> Order {
        Order { keys: keys.into_iter().collect() }
    }

    /// How many columns a key has.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.keys.len()
    }

    /// The bytes of the key at the head of a row's values, and those behind it.
    ///
    /// # Errors
    /// When the row is shorter than its lengths say.
    pub fn split<'r>(&self, values: &'r [u8]) -> Result<(&'r [u8], &'r [u8]), MalformedKey> {
        let mut rest = values;
        for _ in &self.keys {
            take(&mut rest)?;
        }
        Ok(values.split_at(values.len() - rest.len()))
    }

    /// # Errors
    /// When a value is none of its type.
    pub fn compare(&self, a: &[u8], b: &[u8]) -> Result<Ordering, MalformedKey> {
        let (mut a, mut b) = (a, b);
        for key in &self.keys {
            let ordering = key.compare(take(&mut a)?, take(&mut b)?)?;
            if ordering.is_ne() {
                return Ok(ordering);
            }
        }
        Ok(Ordering::Equal)
    }
}

impl SortKey {
    fn compare(&self, a: Option<&[u8]>, b: Option<&[u8]>) -> Result<Ordering, MalformedKey> {
        let null = if self.nulls_first { Ordering::Less } else { Ordering::Greater };
        match (a, b) {
            (None, None) => Ok(Ordering::Equal),
            (None, Some(_)) => Ok(null),
            (Some(_), None) => Ok(null.reverse()),
            (Some(a), Some(b)) => {
                let ordering = self.key_type.compare(a, b)?;
                Ok(if self.descending { ordering.reverse() } else { ordering })
            }
        }
    }
}

/// The next value of a row; `None` is NULL.
fn take<'r>(row: &mut &'r [u8]) -> Result<Option<&'r [u8]>, MalformedKey> {
    let (length, behind) = row.split_first_chunk().ok_or(MalformedKey)?;
    let length = i32::from_be_bytes(*length);
    if length == NULL {
        *row = behind;
        return Ok(None);
    }
    let length = usize::try_from(length).map_err(|_| MalformedKey)?;
    let (value, behind) = behind.split_at_checked(length).ok_or(MalformedKey)?;
    *row = behind;
    Ok(Some(value))
}

fn fixed<const BYTES: usize>(value: &[u8]) -> Result<[u8; BYTES], MalformedKey> {
    value.try_into().map_err(|_| MalformedKey)
}

/// NaN is equal to itself and above everything else; the two zeros are one.
fn compare_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// An interval as PostgreSQL compares it: a month has 30 days, and a day 24 hours.
fn span(value: &[u8]) -> Result<i128, MalformedKey> {
    let whole: [u8; 16] = fixed(value)?;
    let (time, rest) = whole.split_first_chunk().ok_or(MalformedKey)?;
    let (days, months) = rest.split_first_chunk().ok_or(MalformedKey)?;
    let days = i128::from(i32::from_be_bytes(*days));
    let months = i128::from(i32::from_be_bytes(fixed(months)?));
    let time = i128::from(i64::from_be_bytes(*time));
    Ok(time + (days + months * DAYS_PER_MONTH) * MICROSECONDS_PER_DAY)
}

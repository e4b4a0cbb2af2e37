//! Reading a key value in PostgreSQL's binary format.

use super::text::{characters, without_trailing_blanks};
use super::{Decimal, KeyBytes, KeyError, KeyType, KeyValue, Numeric, datetime};

const NUMERIC_NEGATIVE: u16 = 0x4000;
const NUMERIC_NAN: u16 = 0xC000;
const NUMERIC_INFINITY: u16 = 0xD000;
const NUMERIC_NEGATIVE_INFINITY: u16 = 0xF000;
const NUMERIC_DISPLAY_SCALE_MAX: u16 = 0x3FFF;

impl KeyType {
    /// The value that `bytes` are in the binary format of this very type.
    pub(super) fn read_binary(self, bytes: &[u8]) -> Result<KeyValue, KeyError> {
        match self {
            KeyType::Bool => Ok(KeyValue::Bool(fixed::<1>(bytes)?[0] != 0)),
            KeyType::Int2 => Ok(KeyValue::Int(i16::from_be_bytes(fixed(bytes)?).into())),
            KeyType::Int4 => Ok(KeyValue::Int(i32::from_be_bytes(fixed(bytes)?).into())),
            KeyType::Int8 => Ok(KeyValue::Int(i64::from_be_bytes(fixed(bytes)?))),
            KeyType::Text | KeyType::Varchar => characters(bytes),
            KeyType::Bpchar => characters(without_trailing_blanks(bytes)),
            KeyType::Uuid => Ok(KeyValue::Uuid(fixed(bytes)?)),
            KeyType::Date => date(i32::from_be_bytes(fixed(bytes)?)),
            KeyType::Timestamp | KeyType::Timestamptz => {
                timestamp(i64::from_be_bytes(fixed(bytes)?))
            }
            KeyType::Numeric => numeric(bytes).map(KeyValue::Numeric),
            KeyType::Bytea => Ok(KeyValue::Bytea(KeyBytes::from_slice(bytes))),
        }
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], KeyError> {
    bytes.try_into().map_err(|_| KeyError::Invalid)
}

fn date(days: i32) -> Result<KeyValue, KeyError> {
    if days == i32::MIN || days == i32::MAX {
        return Ok(KeyValue::Date(days));
    }
    datetime::checked_date(days.into()).map(KeyValue::Date)
}

fn timestamp(micros: i64) -> Result<KeyValue, KeyError> {
    if micros == i64::MIN || micros == i64::MAX {
        return Ok(KeyValue::Timestamp(micros));
    }
    datetime::checked_timestamp(micros).map(KeyValue::Timestamp)
}

/// Digit count, weight, sign, display scale; then digits to the base 10,000.
fn numeric(bytes: &[u8]) -> Result<Numeric, KeyError> {
    let (words, []) = bytes.as_chunks::<2>() else { return Err(KeyError::Invalid) };
    let [count, weight, sign, display_scale, digits @ ..] = words else {
        return Err(KeyError::Invalid);
    };
    if digits.len() != usize::from(u16::from_be_bytes(*count)) {
        return Err(KeyError::Invalid);
    }
    let negative = match u16::from_be_bytes(*sign) {
        0 => false,
        NUMERIC_NEGATIVE => true,
        NUMERIC_NAN => return Ok(Numeric::NaN),
        NUMERIC_INFINITY => return Ok(Numeric::Infinity),
        NUMERIC_NEGATIVE_INFINITY => return Ok(Numeric::NegativeInfinity),
        _ => return Err(KeyError::Invalid),
    };
    let display_scale = u16::from_be_bytes(*display_scale);
    if display_scale > NUMERIC_DISPLAY_SCALE_MAX {
        return Err(KeyError::Invalid);
    }
    let digits: Vec<u16> = digits.iter().map(|digit| u16::from_be_bytes(*digit)).collect();
    if digits.iter().any(|&digit| digit > 9_999) {
        return Err(KeyError::Invalid);
    }
    let weight = i32::from(i16::from_be_bytes(*weight));
    let decimal = Decimal::new(negative, weight, &digits);
    // The server cuts off what the display scale hides; no driver sends such a value.
    if decimal.decimals_after_point() > i32::from(display_scale) {
        return Err(KeyError::Unsure);
    }
    Ok(Numeric::Finite(decimal))
}

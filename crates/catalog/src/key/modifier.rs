//! Type modifiers: what a column does to a value when it is stored.

use serde::{Deserialize, Serialize};

use super::{KeyBytes, KeyError, KeyType, KeyValue};

const TIMESTAMP_FRACTION_DIGITS_MAX: u8 = 6;

/// The modifier of a key column. It matters when a value is assigned (INSERT, UPDATE, COPY,
/// partition bounds), not when it is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modifier {
    #[default]
    None,
    /// Characters of varchar(n) and char(n).
    Length(u32),
    /// Fractional digits of the seconds of a timestamp.
    Fraction(u8),
    Numeric {
        precision: u16,
        scale: i16,
    },
}

impl Modifier {
    /// `value` as a column with this modifier stores it.
    ///
    /// # Errors
    /// [`KeyError::Invalid`] when it does not fit.
    pub fn store(self, value: KeyValue) -> Result<KeyValue, KeyError> {
        Ok(match (self, value) {
            (Modifier::Length(length), KeyValue::Text(text)) => {
                KeyValue::Text(cut_blanks(text, length as usize)?)
            }
            (Modifier::Fraction(digits), KeyValue::Timestamp(micros)) => {
                KeyValue::Timestamp(round_fraction(micros, digits))
            }
            (Modifier::Numeric { precision, scale }, KeyValue::Numeric(number)) => {
                KeyValue::Numeric(number.rounded(precision, scale)?)
            }
            (_, value) => value,
        })
    }
}

pub(super) fn parse_type_name(type_name: &str) -> Option<(KeyType, Modifier)> {
    let Some((base, rest)) = type_name.split_once('(') else {
        return plain_type(type_name).map(|key_type| (key_type, Modifier::None));
    };
    let (arguments, suffix) = rest.split_once(')')?;
    let key_type = plain_type(&format!("{base}{suffix}"))?;
    let modifier = match key_type {
        KeyType::Varchar | KeyType::Bpchar => Modifier::Length(arguments.parse().ok()?),
        KeyType::Timestamp | KeyType::Timestamptz => Modifier::Fraction(arguments.parse().ok()?),
        KeyType::Numeric => {
            let (precision, scale) = arguments.split_once(',')?;
            Modifier::Numeric { precision: precision.parse().ok()?, scale: scale.parse().ok()? }
        }
        _ => return None,
    };
    Some((key_type, modifier))
}

fn plain_type(name: &str) -> Option<KeyType> {
    Some(match name {
        "boolean" => KeyType::Bool,
        "smallint" => KeyType::Int2,
        "integer" => KeyType::Int4,
        "bigint" => KeyType::Int8,
        "text" => KeyType::Text,
        "character varying" => KeyType::Varchar,
        "character" | "bpchar" => KeyType::Bpchar,
        "uuid" => KeyType::Uuid,
        "date" => KeyType::Date,
        "timestamp without time zone" => KeyType::Timestamp,
        "timestamp with time zone" => KeyType::Timestamptz,
        "numeric" => KeyType::Numeric,
        "bytea" => KeyType::Bytea,
        _ => return None,
    })
}

/// Blanks beyond the length are cut off; anything else beyond it is an error.
fn cut_blanks(mut text: KeyBytes, length: usize) -> Result<KeyBytes, KeyError> {
    if text.len() <= length {
        return Ok(text);
    }
    let chars = std::str::from_utf8(&text).map_err(|_| KeyError::Unsure)?;
    let Some((cut, _)) = chars.char_indices().nth(length) else {
        return Ok(text);
    };
    if text[cut..].iter().any(|&byte| byte != b' ') {
        return Err(KeyError::Invalid);
    }
    text.truncate(cut);
    Ok(text)
}

fn round_fraction(micros: i64, digits: u8) -> i64 {
    if digits >= TIMESTAMP_FRACTION_DIGITS_MAX || micros == i64::MIN || micros == i64::MAX {
        return micros;
    }
    let unit = 10_i64.pow(u32::from(TIMESTAMP_FRACTION_DIGITS_MAX - digits));
    let half = unit / 2;
    if micros >= 0 { (micros + half) / unit * unit } else { -((half - micros) / unit * unit) }
}

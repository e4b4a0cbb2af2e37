//! Values whose declared type may differ from the key's: parameters and typed literals.
//!
//! A value of another type is taken only where comparing it with the key, and storing it in the
//! key, both mean the value read here.

use super::text::without_trailing_blanks;
use super::{KeyError, KeyType, KeyValue, Numeric};

/// Not declared: the server infers the key's type.
const UNSPECIFIED_OID: u32 = 0;
const UNKNOWN_OID: u32 = 705;

impl KeyType {
    /// The key value of a parameter in text format that is declared as type `type_oid`.
    ///
    /// # Errors
    /// As for [`KeyType::from_text`]; a type that does not compare exactly is
    /// [`KeyError::Unsure`].
    pub fn from_text_of(self, type_oid: u32, text: &[u8]) -> Result<KeyValue, KeyError> {
        match self.declared(type_oid)? {
            declared if declared == self => self.from_text(text),
            KeyType::Bpchar => self.blank_padded(text),
            declared => self.convert(declared.from_text(text)?),
        }
    }

    /// The key value of a parameter in binary format that is declared as type `type_oid`.
    ///
    /// # Errors
    /// As for [`KeyType::from_text_of`].
    pub fn from_binary(self, type_oid: u32, bytes: &[u8]) -> Result<KeyValue, KeyError> {
        match self.declared(type_oid)? {
            declared if declared == self => self.read_binary(bytes),
            KeyType::Bpchar => self.blank_padded(bytes),
            declared => self.convert(declared.read_binary(bytes)?),
        }
    }

    fn declared(self, type_oid: u32) -> Result<KeyType, KeyError> {
        if type_oid == UNSPECIFIED_OID || type_oid == UNKNOWN_OID {
            return Ok(self);
        }
        KeyType::from_oid(type_oid).ok_or(KeyError::Unsure)
    }

    /// A bpchar becomes text without its trailing blanks. Compared with varchar, however, both
    /// are taken for bpchar, so that it equals several keys.
    fn blank_padded(self, text: &[u8]) -> Result<KeyValue, KeyError> {
        match self {
            KeyType::Text => self.from_text(without_trailing_blanks(text)),
            _ => Err(KeyError::Unsure),
        }
    }

    fn convert(self, value: KeyValue) -> Result<KeyValue, KeyError> {
        match (self, value) {
            (key, KeyValue::Int(value)) if key.is_integer() => Ok(KeyValue::Int(value)),
            (KeyType::Numeric, KeyValue::Int(value)) => {
                Ok(KeyValue::Numeric(Numeric::from_int(value)))
            }
            (key, KeyValue::Numeric(value)) if key.is_integer() => {
                value.to_int().map(KeyValue::Int).ok_or(KeyError::Unsure)
            }
            (KeyType::Text | KeyType::Varchar, KeyValue::Text(text)) => Ok(KeyValue::Text(text)),
            (KeyType::Bpchar, KeyValue::Text(mut text)) => {
                text.truncate(without_trailing_blanks(&text).len());
                Ok(KeyValue::Text(text))
            }
            _ => Err(KeyError::Unsure),
        }
    }
}

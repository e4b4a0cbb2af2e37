//! A constant of a statement as the value of a key.
//!
//! What a constant means depends on its own type and on that of the column beside it, and both by
//! PostgreSQL's rules: a string without a type takes the column's, a number has one of its own.

use std::borrow::Cow;

use herd_catalog::{KeyError, KeyType, KeyValue};

use super::array;
use crate::lex::{Kind, Token};
use crate::{Parameter, Values};

const BOOL_OID: u32 = 16;
const INT4_OID: u32 = 23;
const INT8_OID: u32 = 20;
const BPCHAR_OID: u32 = 1042;
const NUMERIC_OID: u32 = 1700;
const UNKNOWN_OID: u32 = 705;

/// A constant beside a column of the type `compared`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyConstant {
    pub source: Source,
    /// `::type`, or `type '…'`.
    pub cast: Option<KeyType>,
    /// What a string or parameter without a type is read as.
    pub untyped: KeyType,
    /// The type of the column that it is compared with or assigned to.
    pub compared: KeyType,
    /// Whether NULL is a value here, as it is for IS NOT DISTINCT FROM and for INSERT.
    pub null_matches: bool,
    /// Whether a value that cannot be read as `untyped` is an error on the server. Beside
    /// constants of other types, it may be of their type.
    pub strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// By the index of its slot.
    Literal {
        slot: u32,
        negative: bool,
    },
    Parameter {
        /// 0 is `$1`.
        index: u16,
        /// Whether the server infers `untyped` for it, if its type is not given.
        inferred: bool,
    },
    Null,
    Bool(bool),
}

/// Why a constant has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// The server rejects it.
    Rejected,
    Unsure(Cow<'static, str>),
}

impl From<KeyError> for Unread {
    fn from(error: KeyError) -> Unread {
        match error {
            KeyError::Invalid => Unread::Rejected,
            KeyError::Unsure => Unread::Unsure("what the value means depends on the server".into()),
        }
    }
}

impl KeyConstant {
    /// The value; `None` is NULL.
    #[inline]
    pub(crate) fn value(&self, values: &Values<'_>) -> Result<Option<KeyValue>, Unread> {
        let value = match self.source {
            Source::Literal { slot, negative } => self.literal(slot, negative, values).map(Some),
            Source::Parameter { index, inferred } => {
                let parameter = values.parameters.get(usize::from(index));
                let parameter = parameter.ok_or_else(|| unknown_parameter(index))?;
                match parameter.value {
                    None => Ok(None),
                    Some(value) => self.parameter(&parameter, value, index, inferred).map(Some),
                }
            }
            Source::Null => Ok(None),
            Source::Bool(value) => {
                self.of_type(BOOL_OID, if value { b"t" } else { b"f" }).map(Some)
            }
        };
        match value {
            Err(Unread::Rejected) if !self.strict => {
                Err(Unread::Unsure("values of several types stand beside each other".into()))
            }
            value => value,
        }
    }

    /// The value of text that has a type of its own.
    fn of_type(&self, type_oid: u32, text: &[u8]) -> Result<KeyValue, Unread> {
        Ok(self.compared.from_text_of(type_oid, text)?)
    }

    fn literal(&self, slot: u32, negative: bool, values: &Values<'_>) -> Result<KeyValue, Unread> {
        let literal = values.slots.get(slot as usize);
        let literal = literal.ok_or_else(|| Unread::Unsure("the literal is missing".into()))?;
        match literal.kind {
            Kind::Integer => self.number(integer_type, literal.text(values.text), negative),
            Kind::Decimal => self.number(|_| NUMERIC_OID, literal.text(values.text), negative),
            kind if kind.is_string() && !negative => self.string(literal, values.text),
            _ => Err(Unread::Unsure("the literal is not a plain string or number".into())),
        }
    }

    fn string(&self, literal: Token, sql: &[u8]) -> Result<KeyValue, Unread> {
        let text = literal.string_value(sql);
        let text = text.ok_or_else(|| Unread::Unsure("the string has odd escapes".into()))?;
        match (literal.kind, self.cast) {
            (Kind::NationalText, None) => self.of_type(BPCHAR_OID, &text),
            (Kind::NationalText, Some(_)) => Err(Unread::Unsure("an N'…' string is cast".into())),
            (_, Some(cast)) => self.of_type(cast.oid(), &text),
            (_, None) => self.untyped(&text),
        }
    }

    #[inline]
    fn untyped(&self, text: &[u8]) -> Result<KeyValue, Unread> {
        if self.untyped == self.compared {
            Ok(self.compared.from_text(text)?)
        } else {
            self.of_type(self.untyped.oid(), text)
        }
    }

    fn number(
        &self,
        type_of: fn(&[u8]) -> u32,
        digits: &[u8],
        negative: bool,
    ) -> Result<KeyValue, Unread> {
        let own = type_of(digits);
        let type_oid = match self.cast {
            None => own,
            Some(KeyType::Numeric) => NUMERIC_OID,
            // Casting a fraction to an integer rounds it.
            Some(cast @ (KeyType::Int2 | KeyType::Int4 | KeyType::Int8)) if own != NUMERIC_OID => {
                cast.oid()
            }
            Some(_) => return Err(Unread::Unsure("a number is cast to another type".into())),
        };
        if negative {
            let text = [b"-", digits].concat();
            self.of_type(type_oid, &text)
        } else {
            self.of_type(type_oid, digits)
        }
    }

    #[inline]
    fn parameter(
        &self,
        parameter: &Parameter<'_>,
        value: &[u8],
        index: u16,
        inferred: bool,
    ) -> Result<KeyValue, Unread> {
        let type_oid = self.parameter_type(parameter.type_oid, index, inferred)?;
        let value = if parameter.binary {
            self.compared.from_binary(type_oid, value)
        } else {
            self.compared.from_text_of(type_oid, value)
        };
        Ok(value?)
    }

    /// The type in which a parameter's value is given.
    fn parameter_type(&self, given: u32, index: u16, inferred: bool) -> Result<u32, Unread> {
        let is_given = given != 0 && given != UNKNOWN_OID;
        match (is_given, self.cast) {
            (false, _) if !inferred => Err(Unread::Unsure(
                format!("the server may infer another type for ${} from its other uses", index + 1)
                    .into(),
            )),
            (false, cast) => Ok(cast.unwrap_or(self.untyped).oid()),
            (true, None) => Ok(given),
            (true, Some(cast)) if cast.oid() == given || both_integers(cast, given) => Ok(given),
            (true, Some(_)) => {
                Err(Unread::Unsure(format!("${} is cast to another type", index + 1).into()))
            }
        }
    }

    /// The values of the elements of an array; `None` is NULL, which equals nothing.
    pub(crate) fn elements(
        &self,
        values: &Values<'_>,
        visit: &mut dyn FnMut(Result<Option<KeyValue>, Unread>) -> Result<(), Unread>,
    ) -> Result<(), Unread> {
        let element_type = self.cast.unwrap_or(self.untyped);
        match self.source {
            Source::Null => Ok(()),
            Source::Bool(_) => Err(Unread::Rejected),
            Source::Literal { slot, .. } => {
                let literal = values.slots.get(slot as usize);
                let text = literal.and_then(|literal| literal.string_value(values.text));
                let text = text.ok_or_else(|| Unread::Unsure("the array is no string".into()))?;
                array::text_elements(&text, &mut |element| {
                    visit(element.map(|text| self.of_type(element_type.oid(), text)).transpose())
                })
            }
            Source::Parameter { index, inferred } => {
                let parameter = values.parameters.get(usize::from(index));
                let parameter = parameter.ok_or_else(|| unknown_parameter(index))?;
                let Some(value) = parameter.value else { return Ok(()) };
                let given = match parameter.type_oid {
                    0 | UNKNOWN_OID => 0,
                    array => array::element_type(array)
                        .ok_or_else(|| Unread::Unsure("an array of another type".into()))?,
                };
                let type_oid = self.parameter_type(given, index, inferred)?;
                if parameter.binary {
                    array::binary_elements(value, type_oid, &mut |element| {
                        let value = element.map(|bytes| self.compared.from_binary(type_oid, bytes));
                        visit(value.transpose().map_err(Unread::from))
                    })
                } else {
                    array::text_elements(value, &mut |element| {
                        visit(element.map(|text| self.of_type(type_oid, text)).transpose())
                    })
                }
            }
        }
    }
}

fn both_integers(cast: KeyType, given: u32) -> bool {
    let is_integer = |key_type| matches!(key_type, KeyType::Int2 | KeyType::Int4 | KeyType::Int8);
    is_integer(cast) && KeyType::from_oid(given).is_some_and(is_integer)
}

/// The type that PostgreSQL gives to an integer without a fraction.
#[inline]
fn integer_type(digits: &[u8]) -> u32 {
    /// So few digits always fit.
    const INT4_DIGITS: usize = 9;
    if digits.len() <= INT4_DIGITS {
        return INT4_OID;
    }
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse::<i64>().ok());
    match number {
        Some(number) if i32::try_from(number).is_ok() => INT4_OID,
        Some(_) => INT8_OID,
        None => NUMERIC_OID,
    }
}

fn unknown_parameter(index: u16) -> Unread {
    Unread::Unsure(format!("the value of ${} is not known", index + 1).into())
}

//! Expressions that are constants, and what their types are.

use herd_catalog::KeyType;

use super::graph::Constant;
use super::{Analysis, TypedUse};
use crate::route::{KeyConstant, Rows, Source};
use crate::statement::{Expr, TypeName};

impl Analysis<'_> {
    /// `expr` as a constant that stands alone beside a column of type `compared`.
    pub(super) fn compared(&mut self, expr: &Expr, compared: KeyType) -> Option<KeyConstant> {
        let Constant { source, cast } = self.constant(expr)?;
        self.note_use(expr, TypedUse { key_type: cast.unwrap_or(compared), is_array: false });
        Some(KeyConstant {
            source,
            cast,
            untyped: compared,
            compared,
            null_matches: false,
            strict: true,
        })
    }

    /// Constants of a list, of which PostgreSQL makes one type.
    pub(super) fn listed(&mut self, list: &[Expr], compared: KeyType) -> Option<Rows> {
        let untyped = list.iter().filter(|expr| self.is_untyped_string(expr)).count();
        let has_parameters = list.iter().any(|expr| matches!(expr, Expr::Parameter { .. }));
        let strict = list.len() == 1 || !has_parameters && (untyped == 0 || untyped == list.len());
        let row = |expr| {
            let constant = self.compared(expr, compared)?;
            Some(KeyConstant { strict, ..constant })
        };
        let constants = list.iter().map(row).collect::<Option<Vec<_>>>()?;
        Some(match constants.as_slice() {
            [only] => Rows::One(*only),
            all => Rows::Many(all.iter().map(|&constant| Box::from([constant])).collect()),
        })
    }

    /// The elements of an array beside `= ANY`.
    pub(super) fn array(&mut self, expr: &Expr, compared: KeyType) -> Option<Rows> {
        match expr {
            Expr::Array(list) => self.array_of(list, KeyType::Text, None, compared),
            Expr::Cast(inner, type_name) if type_name.array => {
                let element = element_type(type_name)?;
                match &**inner {
                    Expr::Array(list) => self.array_of(list, element, Some(element), compared),
                    inner => self.whole_array(inner, Some(element), compared),
                }
            }
            expr => self.whole_array(expr, None, compared),
        }
    }

    /// `ARRAY[…]`, whose elements are `untyped` if they do not say otherwise.
    fn array_of(
        &mut self,
        list: &[Expr],
        untyped: KeyType,
        cast: Option<KeyType>,
        compared: KeyType,
    ) -> Option<Rows> {
        let row = |expr| {
            let own = self.constant(expr)?;
            // A cast of the whole array casts elements that have a type of their own.
            let cast = match (own.cast, cast) {
                (Some(own), Some(cast)) if own != cast => return None,
                (own, cast) => own.or(cast),
            };
            let key_type = cast.unwrap_or(untyped);
            self.note_use(expr, TypedUse { key_type, is_array: false });
            let source = own.source;
            let strict = list.len() == 1;
            let constant =
                KeyConstant { source, cast, untyped, compared, null_matches: false, strict };
            Some(Box::from([constant]))
        };
        Some(Rows::Many(list.iter().map(row).collect::<Option<_>>()?))
    }

    /// `$1`, `'{…}'`, or either with a cast.
    fn whole_array(
        &mut self,
        expr: &Expr,
        cast: Option<KeyType>,
        compared: KeyType,
    ) -> Option<Rows> {
        let source = match expr {
            Expr::Parameter { .. } | Expr::Literal(_) | Expr::Null => self.constant(expr)?.source,
            _ => return None,
        };
        self.note_use(expr, TypedUse { key_type: cast.unwrap_or(compared), is_array: true });
        Some(Rows::Elements(KeyConstant {
            source,
            cast,
            untyped: compared,
            compared,
            null_matches: false,
            strict: true,
        }))
    }

    /// A constant, whatever stands beside it.
    pub(super) fn constant(&self, expr: &Expr) -> Option<Constant> {
        let source = match expr {
            Expr::Literal(at) => self.literal(*at, false)?,
            Expr::Minus(inner) => match &**inner {
                Expr::Literal(at) => self.literal(*at, true)?,
                Expr::Cast(inner, type_name) => {
                    let Expr::Literal(at) = **inner else { return None };
                    let cast = number_type(type_name)?;
                    return Some(Constant { source: self.literal(at, true)?, cast: Some(cast) });
                }
                _ => return None,
            },
            Expr::Parameter { index, .. } => Source::Parameter { index: *index, inferred: false },
            Expr::Null => Source::Null,
            Expr::Bool(value) => Source::Bool(*value),
            Expr::Cast(inner, type_name) => {
                let constant = self.constant(inner).filter(|constant| constant.cast.is_none())?;
                return Some(Constant { cast: Some(scalar_type(type_name)?), ..constant });
            }
            _ => return None,
        };
        Some(Constant { source, cast: None })
    }

    fn literal(&self, at: u32, negative: bool) -> Option<Source> {
        let slot = self.slots.index_at(at as usize)?;
        Some(Source::Literal { slot: u32::try_from(slot).ok()?, negative })
    }

    fn is_untyped_string(&self, expr: &Expr) -> bool {
        let Expr::Literal(at) = expr else { return false };
        let slot = self.slots.index_at(*at as usize).and_then(|slot| self.slots.get(slot));
        slot.is_some_and(|literal| literal.kind.is_string())
    }

    /// Remembers that a parameter stands where its type follows.
    pub(super) fn note_use(&mut self, expr: &Expr, typed: TypedUse) {
        match expr {
            Expr::Parameter { index, at } => {
                self.typed_uses.entry(*index).or_default().insert(*at, typed);
            }
            Expr::Cast(inner, _) => self.note_use(inner, typed),
            _ => {}
        }
    }

    /// Whether all uses of a parameter give it the same type, so that the server infers that.
    pub(super) fn is_inferred(&self, index: u16) -> bool {
        let Some(uses) = self.typed_uses.get(&index) else { return false };
        let mut types = uses.values();
        let first = types.next();
        self.parameters.get(&index) == Some(&uses.len()) && types.all(|typed| Some(typed) == first)
    }
}

fn scalar_type(type_name: &TypeName) -> Option<KeyType> {
    let plain = !type_name.array && !type_name.modified;
    plain.then(|| key_type(&type_name.name)).flatten()
}

fn element_type(type_name: &TypeName) -> Option<KeyType> {
    let plain = type_name.array && !type_name.modified;
    plain.then(|| key_type(&type_name.name)).flatten()
}

/// A type that takes a sign after the cast as well as before.
fn number_type(type_name: &TypeName) -> Option<KeyType> {
    let is_number = |key_type: &KeyType| {
        matches!(key_type, KeyType::Int2 | KeyType::Int4 | KeyType::Int8 | KeyType::Numeric)
    };
    scalar_type(type_name).filter(is_number)
}

/// By any name that PostgreSQL has for it. `char` is not among them: it means `char(1)`.
fn key_type(name: &str) -> Option<KeyType> {
    Some(match name {
        "bool" | "boolean" => KeyType::Bool,
        "int2" | "smallint" => KeyType::Int2,
        "int" | "int4" | "integer" => KeyType::Int4,
        "int8" | "bigint" => KeyType::Int8,
        "text" => KeyType::Text,
        "varchar" => KeyType::Varchar,
        "uuid" => KeyType::Uuid,
        "date" => KeyType::Date,
        "timestamp" => KeyType::Timestamp,
        "timestamptz" => KeyType::Timestamptz,
        "numeric" | "decimal" | "dec" => KeyType::Numeric,
        "bytea" => KeyType::Bytea,
        _ => return None,
    })
}

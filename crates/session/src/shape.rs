//! The shape of a prepared statement: the types of its parameters and the columns of its result.
//!
//! Collations, and domains in place of the types that they are made of, are not part of it: a server
//! describes neither.

use herd_node::FIRST_OF_USERS;
use herd_wire::message::{Malformed, Reader};

/// What clients are told of a type that the home node does not have.
const UNKNOWN_TYPE: u32 = 705;

/// In the home node's numbers, as clients are told it.
#[derive(Debug)]
pub struct Shape {
    parameters: Box<[u32]>,
    /// `None` for a statement that gives no rows.
    columns: Option<Box<[Column]>>,
}

#[derive(Debug)]
struct Column {
    name: Box<[u8]>,
    type_number: u32,
    type_modifier: i32,
}

impl Shape {
    /// Of the bodies of ParameterDescription and, where there is one, RowDescription.
    pub fn read(parameters: &[u8], row: Option<&[u8]>) -> Result<Shape, Malformed> {
        let mut reader = Reader::new(parameters);
        let count = reader.u16()?;
        let parameters = (0..count).map(|_| reader.u32()).collect::<Result<_, _>>()?;
        Ok(Shape { parameters, columns: row.map(read_columns).transpose()? })
    }

    /// Whether who was told one may be given rows of the other.
    #[must_use]
    pub fn is_like(&self, other: &Shape) -> bool {
        let is_like = |ours: &Column, theirs: &Column| {
            ours.name == theirs.name
                && ours.type_modifier == theirs.type_modifier
                && is_same_type(ours.type_number, theirs.type_number)
        };
        let columns_are_like = match (&self.columns, &other.columns) {
            (None, None) => true,
            (Some(ours), Some(theirs)) => is_each(ours, theirs, is_like),
            _ => false,
        };
        columns_are_like
            && is_each(&self.parameters, &other.parameters, |ours, theirs| {
                is_same_type(*ours, *theirs)
            })
    }

    /// The parameter types to prepare it with again: those that were found out the first time,
    /// save those that users made, which are not looked up on all nodes unless a client names them.
    #[must_use]
    pub fn parameter_types(&self, given: &[u32]) -> Vec<u32> {
        let given = given.iter().copied().chain(std::iter::repeat(0));
        let types = self.parameters.iter().zip(given);
        types.map(|(&found, given)| if is_of_users(found) { given } else { found }).collect()
    }

    /// What it costs to remember, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let columns = self.columns.iter().flatten();
        let columns: usize = columns.map(|column| size_of::<Column>() + column.name.len()).sum();
        columns + size_of_val(&*self.parameters)
    }
}

fn read_columns(row: &[u8]) -> Result<Box<[Column]>, Malformed> {
    let mut reader = Reader::new(row);
    let count = reader.u16()?;
    let mut column = || {
        let name = reader.string()?.into();
        let (_table, _attribute) = (reader.u32()?, reader.u16()?);
        let (type_number, _length) = (reader.u32()?, reader.u16()?);
        let (type_modifier, _format) = (reader.i32()?, reader.u16()?);
        Ok(Column { name, type_number, type_modifier })
    };
    (0..count).map(|_| column()).collect()
}

fn is_of_users(number: u32) -> bool {
    number >= FIRST_OF_USERS
}

fn is_same_type(ours: u32, theirs: u32) -> bool {
    let may_be = |unknown, known| unknown == UNKNOWN_TYPE && is_of_users(known);
    ours == theirs || may_be(ours, theirs) || may_be(theirs, ours)
}

fn is_each<T>(ours: &[T], theirs: &[T], is_like: impl Fn(&T, &T) -> bool) -> bool {
    ours.len() == theirs.len()
        && ours.iter().zip(theirs).all(|(ours, theirs)| is_like(ours, theirs))
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};

    use super::*;

    const INT4: u32 = 23;
    const VARCHAR: u32 = 1043;
    const OWN: u32 = 16_400;

    fn shape(parameters: &[u32], columns: Option<&[(&str, u32, i32)]>) -> Shape {
        let mut told = BytesMut::new();
        told.put_u16(u16::try_from(parameters.len()).expect("few"));
        parameters.iter().for_each(|&number| told.put_u32(number));
        let row = columns.map(|columns| {
            let mut row = BytesMut::new();
            row.put_u16(u16::try_from(columns.len()).expect("few"));
            for (at, &(name, number, modifier)) in columns.iter().enumerate() {
                row.put_slice(name.as_bytes());
                row.put_u8(0);
                row.put_u32(0);
                row.put_u16(u16::try_from(at).expect("few"));
                row.put_u32(number);
                row.put_i16(-1);
                row.put_i32(modifier);
                row.put_u16(0);
            }
            row
        });
        Shape::read(&told, row.as_deref()).expect("it is well formed")
    }

    #[test]
    fn names_types_and_modifiers_make_the_shape() {
        let told = shape(&[INT4], Some(&[("id", INT4, -1), ("name", VARCHAR, 14)]));
        let is_like = |parameters: &[u32], columns: Option<&[(&str, u32, i32)]>| {
            told.is_like(&shape(parameters, columns))
        };
        assert!(is_like(&[INT4], Some(&[("id", INT4, -1), ("name", VARCHAR, 14)])));
        assert!(!is_like(&[INT4], Some(&[("id", INT4, -1), ("called", VARCHAR, 14)])));
        assert!(!is_like(&[INT4], Some(&[("id", INT4, -1), ("name", VARCHAR, 24)])));
        assert!(!is_like(&[INT4], Some(&[("id", INT4, -1), ("name", INT4, 14)])));
        assert!(!is_like(&[INT4], Some(&[("id", INT4, -1)])));
        assert!(!is_like(&[VARCHAR], Some(&[("id", INT4, -1), ("name", VARCHAR, 14)])));
        assert!(!is_like(&[INT4], None));
    }

    #[test]
    fn a_type_of_users_may_be_told_as_unknown() {
        let of = |number| shape(&[number], Some(&[("mood", number, -1)]));
        assert!(of(OWN).is_like(&of(UNKNOWN_TYPE)));
        assert!(of(UNKNOWN_TYPE).is_like(&of(OWN)));
        assert!(!of(OWN).is_like(&of(OWN + 5)));
        assert!(!of(INT4).is_like(&of(UNKNOWN_TYPE)));
    }

    #[test]
    fn it_is_prepared_again_with_the_types_that_were_found_out() {
        let found = shape(&[INT4, OWN, OWN, VARCHAR], None);
        assert_eq!(found.parameter_types(&[]), [INT4, 0, 0, VARCHAR]);
        assert_eq!(found.parameter_types(&[0, 0, OWN]), [INT4, 0, OWN, VARCHAR]);
    }

    #[test]
    fn a_malformed_description_is_none() {
        let cut_off = [0, 1, b'i', b'd', 0, 0, 0];
        assert!(Shape::read(&[0, 0], Some(&cut_off)).is_err());
        assert!(Shape::read(&[0, 2, 0, 0, 0, 23], None).is_err());
    }
}

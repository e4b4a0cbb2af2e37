//! The elements of arrays, in PostgreSQL's text and binary format.

use herd_catalog::KeyType;

use super::constant::Unread;

/// The type of the elements of an array type.
pub(super) fn element_type(array_oid: u32) -> Option<u32> {
    let element = match array_oid {
        1000 => KeyType::Bool,
        1001 => KeyType::Bytea,
        1005 => KeyType::Int2,
        1007 => KeyType::Int4,
        1009 => KeyType::Text,
        1014 => KeyType::Bpchar,
        1015 => KeyType::Varchar,
        1016 => KeyType::Int8,
        1115 => KeyType::Timestamp,
        1182 => KeyType::Date,
        1185 => KeyType::Timestamptz,
        1231 => KeyType::Numeric,
        2951 => KeyType::Uuid,
        _ => return None,
    };
    Some(element.oid())
}

type Visit<'a> = &'a mut dyn FnMut(Option<&[u8]>) -> Result<(), Unread>;

/// The elements of `{…}`. Of an array with bounds or of several dimensions nothing is told.
pub(super) fn text_elements(text: &[u8], visit: Visit<'_>) -> Result<(), Unread> {
    let odd = || Unread::Unsure("the array is not a plain list".into());
    let text = text.trim_ascii();
    let body = text.strip_prefix(b"{").and_then(|body| body.strip_suffix(b"}")).ok_or_else(odd)?;
    if body.trim_ascii().is_empty() {
        return Ok(());
    }
    let mut rest = body;
    loop {
        rest = rest.trim_ascii_start();
        let after = if rest.first() == Some(&b'"') {
            let (element, after) = quoted(&rest[1..]).ok_or_else(odd)?;
            visit(Some(&element))?;
            after.trim_ascii_start()
        } else {
            let end = memchr::memchr(b',', rest).unwrap_or(rest.len());
            let element = rest[..end].trim_ascii_end();
            if element.is_empty() || element.iter().any(|byte| b"{}\"\\".contains(byte)) {
                return Err(odd());
            }
            let is_null = element.eq_ignore_ascii_case(b"null");
            visit((!is_null).then_some(element))?;
            &rest[end..]
        };
        match after {
            [] => return Ok(()),
            [b',', after @ ..] => rest = after,
            _ => return Err(odd()),
        }
    }
}

/// An element whose opening quote has been read, and what follows its closing one.
fn quoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut element = Vec::new();
    let mut at = 0;
    loop {
        match *text.get(at)? {
            b'"' => return Some((element, &text[at + 1..])),
            b'\\' => {
                element.push(*text.get(at + 1)?);
                at += 2;
            }
            byte => {
                element.push(byte);
                at += 1;
            }
        }
    }
}

/// The elements of a binary array whose elements are of type `type_oid`.
pub(super) fn binary_elements(bytes: &[u8], type_oid: u32, visit: Visit<'_>) -> Result<(), Unread> {
    const DIMENSION_BYTES: usize = 8;
    let mut reader = Reader(bytes);
    let dimensions = reader.number()?;
    let _has_nulls = reader.number()?;
    if reader.number()? != type_oid {
        return Err(Unread::Unsure("the array's elements are of another type".into()));
    }
    // = ANY looks at all elements, whatever the dimensions.
    for _ in 0..dimensions {
        reader.take(DIMENSION_BYTES)?;
    }
    while !reader.0.is_empty() {
        match reader.number()? {
            u32::MAX => visit(None)?,
            length => visit(Some(reader.take(length as usize)?))?,
        }
    }
    Ok(())
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Unread> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Unread::Rejected)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, Unread> {
        let bytes = self.take(size_of::<u32>())?;
        Ok(u32::from_be_bytes(bytes.try_into().map_err(|_| Unread::Rejected)?))
    }
}

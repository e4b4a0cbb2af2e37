//! The binary format of `numeric`: digits in base 10000, the weight of the first, and a sign.

use std::cmp::Ordering;

use crate::key::MalformedKey;

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const POSITIVE_INFINITY: u16 = 0xD000;
const NEGATIVE_INFINITY: u16 = 0xF000;

/// From the lowest to the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    NegativeInfinity,
    Negative,
    Zero,
    Positive,
    PositiveInfinity,
    NotANumber,
}

struct Numeric<'v> {
    class: Class,
    weight: i32,
    /// Big-endian, without zeros at either end.
    digits: &'v [u8],
}

pub(crate) fn compare(a: &[u8], b: &[u8]) -> Result<Ordering, MalformedKey> {
    let (a, b) = (Numeric::read(a)?, Numeric::read(b)?);
    let magnitudes = || a.weight.cmp(&b.weight).then_with(|| a.digits.cmp(b.digits));
    Ok(a.class.cmp(&b.class).then_with(|| match a.class {
        Class::Positive => magnitudes(),
        Class::Negative => magnitudes().reverse(),
        _ => Ordering::Equal,
    }))
}

impl<'v> Numeric<'v> {
    fn read(value: &'v [u8]) -> Result<Numeric<'v>, MalformedKey> {
        let (header, digits) = value.split_first_chunk::<8>().ok_or(MalformedKey)?;
        let [count_high, count_low, weight_high, weight_low, sign_high, sign_low, _, _] = *header;
        let count = usize::from(u16::from_be_bytes([count_high, count_low]));
        let weight = i32::from(i16::from_be_bytes([weight_high, weight_low]));
        if digits.len() != count * 2 {
            return Err(MalformedKey);
        }
        let (weight, digits) = trimmed(weight, digits);
        let class = match u16::from_be_bytes([sign_high, sign_low]) {
            POSITIVE | NEGATIVE if digits.is_empty() => Class::Zero,
            POSITIVE => Class::Positive,
            NEGATIVE => Class::Negative,
            NAN => Class::NotANumber,
            POSITIVE_INFINITY => Class::PositiveInfinity,
            NEGATIVE_INFINITY => Class::NegativeInfinity,
            _ => return Err(MalformedKey),
        };
        Ok(Numeric { class, weight, digits })
    }
}

fn trimmed(mut weight: i32, mut digits: &[u8]) -> (i32, &[u8]) {
    while let [0, 0, rest @ ..] = digits {
        digits = rest;
        weight -= 1;
    }
    while let [rest @ .., 0, 0] = digits {
        digits = rest;
    }
    (weight, digits)
}

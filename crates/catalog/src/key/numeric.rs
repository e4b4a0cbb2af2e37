//! Values of type numeric, as PostgreSQL keeps them: digits to the base 10,000.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::KeyError;
use crate::limits::NUMERIC_KEY_DIGITS_MAX;

/// Decimal digits in one digit to the base 10,000.
const DECIMALS_PER_DIGIT: i32 = 4;
const BASE: u16 = 10_000;

/// A numeric, without its display scale: `1.0` and `1` are one value. In PostgreSQL's order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Numeric {
    NegativeInfinity,
    Finite(Decimal),
    Infinity,
    NaN,
}

/// `± 0.d₁d₂d₃… × 10000^(weight + 1)`, without zeros at either end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    negative: bool,
    weight: i32,
    digits: SmallVec<[u16; 8]>,
}

impl Numeric {
    #[must_use]
    pub fn from_int(value: i64) -> Numeric {
        let mut rest = value.unsigned_abs();
        let mut digits = SmallVec::<[u16; 8]>::new();
        while rest > 0 {
            digits.push((rest % u64::from(BASE)) as u16);
            rest /= u64::from(BASE);
        }
        digits.reverse();
        let weight = digits.len() as i32 - 1;
        Numeric::Finite(Decimal::new(value < 0, weight, &digits))
    }

    /// The integer that it equals.
    #[must_use]
    pub fn to_int(&self) -> Option<i64> {
        match self {
            Numeric::Finite(decimal) => decimal.to_int(),
            Numeric::NegativeInfinity | Numeric::Infinity | Numeric::NaN => None,
        }
    }

    /// As numeric(precision, scale) stores it.
    pub(super) fn rounded(self, precision: u16, scale: i16) -> Result<Numeric, KeyError> {
        match self {
            Numeric::NaN => Ok(Numeric::NaN),
            Numeric::NegativeInfinity | Numeric::Infinity => Err(KeyError::Invalid),
            Numeric::Finite(decimal) => {
                let rounded = decimal.rounded(i32::from(scale));
                let fits = rounded.decimals_before_point()
                    <= i32::from(precision) - i32::from(scale)
                    || rounded.digits.is_empty();
                if fits { Ok(Numeric::Finite(rounded)) } else { Err(KeyError::Invalid) }
            }
        }
    }
}

impl Decimal {
    /// From digits to the base 10,000, the first of which counts `10000^weight`.
    pub(super) fn new(negative: bool, weight: i32, digits: &[u16]) -> Decimal {
        let leading = digits.iter().take_while(|&&digit| digit == 0).count();
        let Some(last) = digits.iter().rposition(|&digit| digit != 0) else {
            return Decimal { negative: false, weight: 0, digits: SmallVec::new() };
        };
        Decimal {
            negative,
            weight: weight - leading as i32,
            digits: SmallVec::from_slice(&digits[leading..=last]),
        }
    }

    /// From ASCII decimal digits; `point` of them (or none, if negative) are before the point.
    pub(super) fn from_decimals(
        negative: bool,
        decimals: &[u8],
        point: i32,
    ) -> Result<Decimal, KeyError> {
        let leading = decimals.iter().take_while(|&&digit| digit == b'0').count();
        let Some(last) = decimals.iter().rposition(|&digit| digit != b'0') else {
            return Ok(Decimal::new(false, 0, &[]));
        };
        let significant = &decimals[leading..=last];
        let point = point - leading as i32;
        let scale = significant.len() as i32 - point;
        let limit = NUMERIC_KEY_DIGITS_MAX as i32;
        if point > limit || scale > limit {
            return Err(KeyError::Unsure);
        }
        let weight = (point - 1).div_euclid(DECIMALS_PER_DIGIT);
        let padding = ((weight + 1) * DECIMALS_PER_DIGIT - point) as usize;
        let mut digits = SmallVec::<[u16; 8]>::new();
        let mut digit = 0;
        for index in 0..(padding + significant.len()).next_multiple_of(DECIMALS_PER_DIGIT as usize)
        {
            let decimal = index.checked_sub(padding).and_then(|at| significant.get(at));
            digit = digit * 10 + decimal.map_or(0, |&ascii| u16::from(ascii - b'0'));
            if index % DECIMALS_PER_DIGIT as usize == DECIMALS_PER_DIGIT as usize - 1 {
                digits.push(digit);
                digit = 0;
            }
        }
        Ok(Decimal::new(negative, weight, &digits))
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.negative
    }

    pub(crate) fn weight(&self) -> i32 {
        self.weight
    }

    pub(crate) fn digits(&self) -> &[u16] {
        &self.digits
    }

    /// The value of digit number `at`, counted from the point: 0 is the ones' digit.
    pub(super) fn digit(&self, at: i32) -> u16 {
        let index = usize::try_from(self.weight - at).ok();
        index.and_then(|index| self.digits.get(index)).copied().unwrap_or(0)
    }

    /// The exponent of the last digit to the base 10,000.
    pub(super) fn last_digit(&self) -> i32 {
        self.weight - self.digits.len() as i32 + 1
    }

    /// Decimal digits after the point.
    pub(super) fn decimals_after_point(&self) -> i32 {
        let Some(&last) = self.digits.last() else { return 0 };
        let zeros = (0..DECIMALS_PER_DIGIT).take_while(|&at| last % 10_u16.pow(at as u32 + 1) == 0);
        (-self.last_digit() * DECIMALS_PER_DIGIT - zeros.count() as i32).max(0)
    }

    fn to_int(&self) -> Option<i64> {
        const INT8_WEIGHT_MAX: i32 = 4;
        if self.digits.is_empty() {
            return Some(0);
        }
        if self.last_digit() < 0 || self.weight > INT8_WEIGHT_MAX {
            return None;
        }
        let magnitude = (0..=self.weight)
            .rev()
            .fold(0_i128, |sum, at| sum * i128::from(BASE) + i128::from(self.digit(at)));
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }

    /// Decimal digits before the point; negative when zeros follow it.
    fn decimals_before_point(&self) -> i32 {
        let first = self.digits.first().copied().unwrap_or(0);
        let width = first.checked_ilog10().map_or(0, |log| log as i32 + 1);
        self.weight * DECIMALS_PER_DIGIT + width
    }

    /// Rounded half away from zero to `scale` decimal digits after the point.
    fn rounded(self, scale: i32) -> Decimal {
        let keep = -scale.div_euclid(DECIMALS_PER_DIGIT);
        let inside = scale.rem_euclid(DECIMALS_PER_DIGIT);
        // The last digit to the base 10,000 that is kept, in part or as a whole.
        let (last, unit) =
            if inside == 0 { (keep, 1) } else { (keep - 1, 10_u16.pow((4 - inside) as u32)) };
        if self.digits.is_empty() || self.last_digit() > last {
            return self;
        }
        let tail = self.digit(last) % unit;
        let half = if unit == 1 { BASE / 2 } else { unit / 2 };
        let up = if unit == 1 { self.digit(last - 1) >= half } else { tail >= half };
        let top = self.weight.max(last) + 1;
        let mut digits: SmallVec<[u16; 8]> = (last..=top).rev().map(|at| self.digit(at)).collect();
        if let Some(kept) = digits.last_mut() {
            *kept -= tail;
        }
        if up {
            carry(&mut digits, unit);
        }
        Decimal::new(self.negative, top, &digits)
    }
}

/// Adds `amount` to the last digit. The first is a zero, so nothing overflows.
fn carry(digits: &mut [u16], mut amount: u16) {
    for digit in digits.iter_mut().rev() {
        *digit += amount;
        if *digit < BASE {
            return;
        }
        *digit -= BASE;
        amount = 1;
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> Ordering {
        let signs = (!self.negative).cmp(&!other.negative);
        let magnitudes = match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => {
                self.weight.cmp(&other.weight).then_with(|| self.digits.cmp(&other.digits))
            }
        };
        signs.then(if self.negative { magnitudes.reverse() } else { magnitudes })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

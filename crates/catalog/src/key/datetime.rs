//! Dates and timestamps in ISO form, whose meaning depends on no setting.
//!
//! PostgreSQL reads many more forms; those depend on DateStyle, TimeZone, the current date or
//! the time zone abbreviations in use, and are [`KeyError::Unsure`] here.

use super::KeyError;
use super::text::trim;

pub(super) const MICROS_PER_SECOND: i64 = 1_000_000;
pub(super) const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
const SECONDS_PER_HOUR: i64 = 3_600;
const SECONDS_PER_MINUTE: i64 = 60;

/// Julian day number of 2000-01-01.
const EPOCH_JULIAN: i64 = 2_451_545;
/// 5874898-01-01, the first day beyond type date.
const DATE_END_JULIAN: i64 = 2_147_483_494;
/// 4714-11-24 BC and 294277-01-01, in microseconds since 2000-01-01.
const TIMESTAMP_MIN: i64 = -211_813_488_000_000_000;
const TIMESTAMP_END: i64 = 9_223_371_331_200_000_000;
const UTC_OFFSET_HOURS_MAX: i64 = 15;
const YEAR_MAX: i64 = 5_874_898;

/// What a text in ISO form says.
struct Parsed {
    days: i64,
    /// Microseconds since midnight, when a time is given.
    time: Option<i64>,
    /// Seconds east of Greenwich, when given.
    offset: Option<i64>,
}

pub(super) fn date(text: &[u8]) -> Result<i32, KeyError> {
    match word(text)? {
        Some(Word::Infinity) => return Ok(i32::MAX),
        Some(Word::NegativeInfinity) => return Ok(i32::MIN),
        None => {}
    }
    let parsed = parse(text)?;
    if parsed.time.is_some() {
        return Err(KeyError::Unsure);
    }
    checked_date(parsed.days)
}

pub(super) fn timestamp(text: &[u8]) -> Result<i64, KeyError> {
    match word(text)? {
        Some(Word::Infinity) => Ok(i64::MAX),
        Some(Word::NegativeInfinity) => Ok(i64::MIN),
        // An offset is read and ignored.
        None => parse(text).and_then(|parsed| checked_timestamp(parsed.micros()?)),
    }
}

pub(super) fn timestamptz(text: &[u8]) -> Result<i64, KeyError> {
    match word(text)? {
        Some(Word::Infinity) => return Ok(i64::MAX),
        Some(Word::NegativeInfinity) => return Ok(i64::MIN),
        None => {}
    }
    let parsed = parse(text)?;
    let offset = parsed.offset.ok_or(KeyError::Unsure)?;
    checked_timestamp(parsed.micros()?.saturating_sub(offset * MICROS_PER_SECOND))
}

/// A number of days since 2000-01-01 that type date can hold, the infinities aside.
pub(super) fn checked_date(days: i64) -> Result<i32, KeyError> {
    if !(-EPOCH_JULIAN..DATE_END_JULIAN - EPOCH_JULIAN).contains(&days) {
        return Err(KeyError::Invalid);
    }
    i32::try_from(days).map_err(|_| KeyError::Invalid)
}

pub(super) fn checked_timestamp(micros: i64) -> Result<i64, KeyError> {
    if (TIMESTAMP_MIN..TIMESTAMP_END).contains(&micros) {
        Ok(micros)
    } else {
        Err(KeyError::Invalid)
    }
}

/// Year (astronomical: 0 is 1 BC), month and day of a number of days since 2000-01-01.
pub(super) fn civil_from_days(days: i64) -> (i64, i64, i64) {
    // Days are counted from 0000-03-01, in eras of 400 years, so that leap days come last.
    let shifted = days + 730_425;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 730_425
}

impl Parsed {
    fn micros(&self) -> Result<i64, KeyError> {
        let midnight = self.days.checked_mul(MICROS_PER_DAY).ok_or(KeyError::Invalid)?;
        midnight.checked_add(self.time.unwrap_or(0)).ok_or(KeyError::Invalid)
    }
}

enum Word {
    Infinity,
    NegativeInfinity,
}

fn word(text: &[u8]) -> Result<Option<Word>, KeyError> {
    let text = trim(text)?;
    Ok(if text.eq_ignore_ascii_case(b"infinity") {
        Some(Word::Infinity)
    } else if text.eq_ignore_ascii_case(b"-infinity") {
        Some(Word::NegativeInfinity)
    } else {
        None
    })
}

/// `YYYY-MM-DD[( |T)HH:MM[:SS[.ffffff]][Z|±HH[:MM[:SS]]]][ BC]`
fn parse(text: &[u8]) -> Result<Parsed, KeyError> {
    let mut rest = trim(text)?;
    let before_christ = match rest {
        [start @ .., b' ', b'B' | b'b', b'C' | b'c'] => {
            rest = start;
            true
        }
        _ => false,
    };
    let days = date_part(&mut rest, before_christ)?;
    let mut parsed = Parsed { days, time: None, offset: None };
    if rest.is_empty() {
        return Ok(parsed);
    }
    let [b' ' | b'T', time @ ..] = rest else { return Err(KeyError::Unsure) };
    rest = time;
    parsed.time = Some(time_part(&mut rest)?);
    parsed.offset = offset_part(&mut rest)?;
    if rest.is_empty() { Ok(parsed) } else { Err(KeyError::Unsure) }
}

fn date_part(rest: &mut &[u8], before_christ: bool) -> Result<i64, KeyError> {
    let width = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(4..=7).contains(&width) {
        return Err(KeyError::Unsure);
    }
    let year = number(rest, width)?;
    expect(rest, b'-')?;
    let month = number(rest, 2)?;
    expect(rest, b'-')?;
    let day = number(rest, 2)?;
    if year == 0 || year > YEAR_MAX || !(1..=12).contains(&month) {
        return Err(KeyError::Invalid);
    }
    let year = if before_christ { 1 - year } else { year };
    if day < 1 || day > days_in_month(year, month) {
        return Err(KeyError::Invalid);
    }
    Ok(days_from_civil(year, month, day))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 31,
    }
}

fn time_part(rest: &mut &[u8]) -> Result<i64, KeyError> {
    let hour = number(rest, 2)?;
    expect(rest, b':')?;
    let minute = number(rest, 2)?;
    let mut second = 0;
    let mut fraction = 0;
    if rest.first() == Some(&b':') {
        expect(rest, b':')?;
        second = number(rest, 2)?;
        fraction = fraction_part(rest)?;
    }
    let seconds = hour * SECONDS_PER_HOUR + minute * SECONDS_PER_MINUTE + second;
    let micros = seconds * MICROS_PER_SECOND + fraction;
    // 24:00:00 and a leap second are read as the next day's first moments.
    if minute > 59 || second > 60 || micros > MICROS_PER_DAY {
        return Err(KeyError::Invalid);
    }
    Ok(micros)
}

/// Rounded through a double, as the server does it.
fn fraction_part(rest: &mut &[u8]) -> Result<i64, KeyError> {
    if rest.first() != Some(&b'.') {
        return Ok(0);
    }
    let width = rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if width == 0 {
        return Err(KeyError::Unsure);
    }
    let (fraction, after) = rest.split_at(width + 1);
    *rest = after;
    let fraction = std::str::from_utf8(fraction).map_err(|_| KeyError::Unsure)?;
    let fraction: f64 = fraction.parse().map_err(|_| KeyError::Unsure)?;
    Ok((fraction * 1e6).round_ties_even() as i64)
}

fn offset_part(rest: &mut &[u8]) -> Result<Option<i64>, KeyError> {
    let negative = match *rest {
        [] => return Ok(None),
        [b'Z'] => {
            *rest = &[];
            return Ok(Some(0));
        }
        [b'+', ..] => false,
        [b'-', ..] => true,
        _ => return Err(KeyError::Unsure),
    };
    *rest = &rest[1..];
    let mut seconds = number(rest, 2)? * SECONDS_PER_HOUR;
    let mut unit = SECONDS_PER_MINUTE;
    while unit > 0 && rest.first() == Some(&b':') {
        expect(rest, b':')?;
        let part = number(rest, 2)?;
        if part > 59 {
            return Err(KeyError::Invalid);
        }
        seconds += part * unit;
        unit /= 60;
    }
    if seconds / SECONDS_PER_HOUR > UTC_OFFSET_HOURS_MAX {
        return Err(KeyError::Invalid);
    }
    Ok(Some(if negative { -seconds } else { seconds }))
}

/// Exactly `width` digits; the server knows other forms with more.
fn number(rest: &mut &[u8], width: usize) -> Result<i64, KeyError> {
    let digits = rest.get(..width).ok_or(KeyError::Unsure)?;
    if rest.get(width).is_some_and(u8::is_ascii_digit) {
        return Err(KeyError::Unsure);
    }
    let mut value = 0;
    for &byte in digits {
        if !byte.is_ascii_digit() {
            return Err(KeyError::Unsure);
        }
        value = value * 10 + i64::from(byte - b'0');
    }
    *rest = &rest[width..];
    Ok(value)
}

fn expect(rest: &mut &[u8], byte: u8) -> Result<(), KeyError> {
    if rest.first() != Some(&byte) {
        return Err(KeyError::Unsure);
    }
    *rest = &rest[1..];
    Ok(())
}

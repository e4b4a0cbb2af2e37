//! Key values as text that every server reads back as the same value, whatever its settings.

use std::fmt::{self, Write};

use super::datetime::{MICROS_PER_DAY, MICROS_PER_SECOND, civil_from_days};
use super::{Decimal, KeyType, KeyValue, Numeric};

impl KeyType {
    /// The canonical text of a value of this type.
    #[must_use]
    pub fn to_text(self, value: &KeyValue) -> String {
        let mut text = String::new();
        print(&mut text, self, value).expect("writing to a String never fails");
        text
    }
}

fn print(out: &mut String, key_type: KeyType, value: &KeyValue) -> fmt::Result {
    match value {
        KeyValue::Bool(value) => write!(out, "{value}"),
        KeyValue::Int(value) => write!(out, "{value}"),
        KeyValue::Text(text) => out.write_str(&String::from_utf8_lossy(text)),
        KeyValue::Uuid(bytes) => uuid(out, bytes),
        KeyValue::Date(i32::MAX) | KeyValue::Timestamp(i64::MAX) => out.write_str("infinity"),
        KeyValue::Date(i32::MIN) | KeyValue::Timestamp(i64::MIN) => out.write_str("-infinity"),
        KeyValue::Date(days) => date(out, i64::from(*days), ""),
        KeyValue::Timestamp(micros) => timestamp(out, key_type, *micros),
        KeyValue::Numeric(Numeric::NaN) => out.write_str("NaN"),
        KeyValue::Numeric(Numeric::Infinity) => out.write_str("Infinity"),
        KeyValue::Numeric(Numeric::NegativeInfinity) => out.write_str("-Infinity"),
        KeyValue::Numeric(Numeric::Finite(decimal)) => numeric(out, decimal),
        KeyValue::Bytea(bytes) => {
            out.write_str("\\x")?;
            bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
        }
    }
}

fn uuid(out: &mut String, bytes: &[u8; 16]) -> fmt::Result {
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.write_char('-')?;
        }
        write!(out, "{byte:02x}")?;
    }
    Ok(())
}

fn date(out: &mut String, days: i64, time: &str) -> fmt::Result {
    let (year, month, day) = civil_from_days(days);
    if year > 0 {
        write!(out, "{year:04}-{month:02}-{day:02}{time}")
    } else {
        write!(out, "{:04}-{month:02}-{day:02}{time} BC", 1 - year)
    }
}

fn timestamp(out: &mut String, key_type: KeyType, micros: i64) -> fmt::Result {
    let in_day = micros.rem_euclid(MICROS_PER_DAY);
    let seconds = in_day / MICROS_PER_SECOND;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let mut time = format!(" {hour:02}:{minute:02}:{second:02}");
    let fraction = in_day % MICROS_PER_SECOND;
    if fraction != 0 {
        write!(time, ".{}", format!("{fraction:06}").trim_end_matches('0'))?;
    }
    if key_type == KeyType::Timestamptz {
        time.push_str("+00");
    }
    date(out, micros.div_euclid(MICROS_PER_DAY), &time)
}

fn numeric(out: &mut String, decimal: &Decimal) -> fmt::Result {
    if decimal.is_negative() {
        out.write_char('-')?;
    }
    let whole = decimal.weight().max(0);
    write!(out, "{}", decimal.digit(whole))?;
    (0..whole).rev().try_for_each(|at| write!(out, "{:04}", decimal.digit(at)))?;
    if decimal.last_digit() < 0 {
        let fraction: String =
            (decimal.last_digit()..0).rev().map(|at| format!("{:04}", decimal.digit(at))).collect();
        write!(out, ".{}", fraction.trim_end_matches('0'))?;
    }
    Ok(())
}

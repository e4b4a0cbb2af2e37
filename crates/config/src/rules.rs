//! The rules that settings are held to, and the words in which a breach is told.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::ConfigError;
use crate::units::Span;

const DURATION_MAX: Duration = Duration::from_secs(366 * 86_400);

pub(crate) fn within<T: PartialOrd + Display>(
    key: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<T, ConfigError> {
    if range.contains(&value) {
        return Ok(value);
    }
    let allowed = format!("from {} to {}", range.start(), range.end());
    Err(ConfigError::value(key, value, allowed))
}

pub(crate) fn at_most<T: PartialOrd + Display>(
    left_key: &str,
    left: T,
    right_key: &str,
    right: T,
) -> Result<(), ConfigError> {
    if left <= right {
        return Ok(());
    }
    Err(ConfigError::Conflict {
        left: format!("{left_key} = {left}"),
        right: format!("{right_key} = {right}"),
        rule: "the first may not be more than the second".to_owned(),
    })
}

/// Zero means none.
pub(crate) fn duration(
    key: &str,
    given: Option<Span>,
    default: Duration,
) -> Result<Duration, ConfigError> {
    let span = given.unwrap_or(Span(default));
    within(key, span, Span(Duration::ZERO)..=Span(DURATION_MAX)).map(|Span(length)| length)
}

pub(crate) fn positive(
    key: &str,
    given: Option<Span>,
    default: Duration,
) -> Result<Duration, ConfigError> {
    let span = given.unwrap_or(Span(default));
    let range = Span(Duration::from_millis(1))..=Span(DURATION_MAX);
    within(key, span, range).map(|Span(length)| length)
}

pub(crate) fn not_empty(key: &str, value: String) -> Result<String, ConfigError> {
    if value.is_empty() {
        return Err(ConfigError::value(key, "\"\"", "not empty"));
    }
    Ok(value)
}

/// A path, or none when it is empty.
pub(crate) fn file(path: &str) -> Option<PathBuf> {
    (!path.is_empty()).then(|| PathBuf::from(path))
}

pub(crate) fn quoted(value: &str) -> String {
    format!("{value:?}")
}

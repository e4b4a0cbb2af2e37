//! What is wrong with a configuration: which key, what it says, what is allowed.

use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// Not TOML, a key that does not exist, or a value of the wrong type.
    #[error("line {line}{}: {message}", key.as_ref().map(|k| format!(", {k}")).unwrap_or_default())]
    Syntax { line: usize, key: Option<String>, message: String },

    #[error("{key} = {value}: must be {allowed}")]
    Value { key: String, value: String, allowed: String },

    #[error("{key} is missing: {reason}")]
    Missing { key: String, reason: String },

    /// Two settings, each fine by itself, that contradict each other.
    #[error("{left} and {right}: {rule}")]
    Conflict { left: String, right: String, rule: String },
}

impl ConfigError {
    pub(crate) fn value(
        key: impl Into<String>,
        value: impl ToString,
        allowed: impl Into<String>,
    ) -> ConfigError {
        ConfigError::Value { key: key.into(), value: value.to_string(), allowed: allowed.into() }
    }

    pub(crate) fn missing(key: impl Into<String>, reason: impl Into<String>) -> ConfigError {
        ConfigError::Missing { key: key.into(), reason: reason.into() }
    }

    /// The line and its key only, never the line's text: it may be a password.
    pub(crate) fn syntax(text: &str, error: &toml::de::Error) -> ConfigError {
        let offset = error.span().map_or(0, |span| span.start.min(text.len()));
        let before = &text.as_bytes()[..offset];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let line_text = text[line_start..].lines().next().unwrap_or_default();
        let key = line_text.split_once('=').map(|(key, _)| key.trim().to_owned());
        ConfigError::Syntax {
            line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
            key: key.filter(|key| !key.is_empty() && !key.starts_with('#')),
            message: readable(error.message()),
        }
    }
}

/// "invalid type: string "x", expected usize" without the value, which may be a password, and
/// without Rust.
fn readable(message: &str) -> String {
    let expected = match message.rfind(", expected ") {
        Some(at) if message.starts_with("invalid ") => &message[at + ", ".len()..],
        _ => message,
    };
    match expected {
        "expected u16" => "expected a whole number from 1 to 65535".to_owned(),
        "expected u32" | "expected usize" => "expected a whole number from 0".to_owned(),
        other => other.to_owned(),
    }
}

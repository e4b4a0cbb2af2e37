//! Settings under which Herd could no longer read what the client sends.

use herd_types::ClientError;

use super::{Assignment, Value};

/// Encodings in which the second byte of a character can look like ASCII, in the form that
/// PostgreSQL compares: lower case, letters and digits only.
const UNSAFE_ENCODINGS: [&str; 17] = [
    "big5",
    "win950",
    "windows950",
    "gbk",
    "win936",
    "windows936",
    "uhc",
    "win949",
    "windows949",
    "gb18030",
    "johab",
    "sjis",
    "shiftjis",
    "mskanji",
    "win932",
    "windows932",
    "shiftjis2004",
];

/// Refuses what must not be set.
pub(super) fn check(assignment: &Assignment) -> Result<(), ClientError> {
    let Value::List(values) = &assignment.value else {
        return Ok(());
    };
    match (assignment.name.as_str(), values.as_deref()) {
        ("standard_conforming_strings", Some([value])) if is_true(value) => Ok(()),
        ("standard_conforming_strings", _) => {
            Err(ClientError::unsupported("standard_conforming_strings must stay on")
                .with_detail("Herd reads backslashes in plain strings as ordinary characters.")
                .with_hint("Write strings with backslash escapes as E'…'."))
        }
        ("client_encoding", Some([encoding])) if is_safe_encoding(encoding) => Ok(()),
        ("client_encoding", Some([encoding])) => {
            Err(ClientError::unsupported(format!("client_encoding {encoding} is not supported"))
                .with_detail(
                    "In this encoding parts of a character can look like quotes and backslashes.",
                )
                .with_hint("Use UTF8, or an EUC encoding."))
        }
        ("client_encoding", _) => {
            Err(ClientError::unsupported("client_encoding must be given as one plain name"))
        }
        _ => Ok(()),
    }
}

/// Whether PostgreSQL reads `value` as true.
fn is_true(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let prefixes = |word: &str| !value.is_empty() && word.starts_with(&value);
    prefixes("true") || prefixes("yes") || value == "on" || value == "1"
}

/// Whether no byte below 0x80 is ever part of a longer character.
#[must_use]
fn is_safe_encoding(name: &str) -> bool {
    let name: String =
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    !UNSAFE_ENCODINGS.contains(&name.as_str())
}

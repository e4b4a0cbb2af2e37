//! Settings under which Herd can no longer read what a client sends.

use herd_types::ClientError;

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

/// Refuses a value of a setting, in whatever way it was set: by SET, at startup, by a function.
///
/// # Errors
/// 0A000 for an encoding that hides quotes in characters, and for backslashes that escape quotes.
pub fn check_setting(name: &str, value: &str) -> Result<(), ClientError> {
    match name {
        "standard_conforming_strings" if !is_true(value) => {
            Err(ClientError::unsupported("standard_conforming_strings must stay on")
                .with_detail("Herd reads backslashes in plain strings as ordinary characters.")
                .with_hint("Write strings with backslash escapes as E'…'."))
        }
        "client_encoding" if is_unsafe_encoding(value) => {
            Err(ClientError::unsupported(format!("client_encoding {value} is not supported"))
                .with_detail(
                    "In this encoding parts of a character can look like quotes and backslashes.",
                )
                .with_hint("Use UTF8, or an EUC encoding."))
        }
        _ => Ok(()),
    }
}

/// The same for a value that only the server can tell.
pub(crate) fn check_computed_setting(name: &str) -> Result<(), ClientError> {
    match name {
        "standard_conforming_strings" | "client_encoding" => {
            Err(ClientError::unsupported(format!("{name} must be given as one plain value")))
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

/// Whether a byte below 0x80 can be part of a longer character.
fn is_unsafe_encoding(name: &str) -> bool {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    let name = letters.collect::<String>().to_ascii_lowercase();
    UNSAFE_ENCODINGS.contains(&name.as_str())
}

//! What the bytes of a stream mean, as far as splitting it depends on it.

use herd_node::Reported;
use herd_types::ClientError;

use super::StreamEncoding;

/// Encodings, and their other names, in which a byte of a longer character may look like ASCII.
const UNSAFE: &[&str] = &[
    "BIG5",
    "GB18030",
    "GBK",
    "JOHAB",
    "MSKANJI",
    "SHIFTJIS",
    "SHIFTJIS2004",
    "SJIS",
    "UHC",
    "WIN932",
    "WIN936",
    "WIN949",
    "WIN950",
    "WINDOWS932",
    "WINDOWS936",
    "WINDOWS949",
    "WINDOWS950",
];

/// The encoding of a stream whose COPY has option ENCODING `option`, on a connection that
/// reported `parameters`.
pub(super) fn of_stream(
    option: Option<&str>,
    parameters: &Reported,
) -> Result<StreamEncoding, ClientError> {
    let server = normal(parameters.get("server_encoding").unwrap_or("UTF8"));
    let stream = normal(option.or(parameters.get("client_encoding")).unwrap_or(&server));
    if stream == server || stream == "SQLASCII" || server == "SQLASCII" {
        return Ok(StreamEncoding::Server);
    }
    if UNSAFE.contains(&stream.as_str()) {
        return Err(ClientError::unsupported(format!(
            "COPY into a fragmented table does not support encoding {stream}"
        ))
        .with_detail("Rows cannot be told apart before the text is converted.")
        .with_hint("Send the data in UTF8."));
    }
    Ok(StreamEncoding::Foreign)
}

/// As PostgreSQL compares names of encodings.
fn normal(name: &str) -> String {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    match name.to_ascii_uppercase().as_str() {
        "UNICODE" => "UTF8".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(option: Option<&str>, client: &str, server: &str) -> Option<StreamEncoding> {
        let parameters = [("client_encoding", client), ("server_encoding", server)];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        of_stream(option, &Reported::new(parameters)).ok()
    }

    #[test]
    fn the_option_counts_before_the_setting() {
        assert_eq!(of(None, "UTF8", "UTF8"), Some(StreamEncoding::Server));
        assert_eq!(of(None, "LATIN1", "UTF8"), Some(StreamEncoding::Foreign));
        assert_eq!(of(Some("utf-8"), "LATIN1", "UTF8"), Some(StreamEncoding::Server));
        assert_eq!(of(Some("unicode"), "LATIN1", "UTF8"), Some(StreamEncoding::Server));
        assert_eq!(of(Some("latin1"), "UTF8", "UTF8"), Some(StreamEncoding::Foreign));
    }

    #[test]
    fn nothing_is_converted_from_or_to_sql_ascii() {
        assert_eq!(of(None, "SQL_ASCII", "UTF8"), Some(StreamEncoding::Server));
        assert_eq!(of(None, "LATIN1", "SQL_ASCII"), Some(StreamEncoding::Server));
    }

    #[test]
    fn encodings_that_hide_ascii_in_characters_are_refused() {
        assert_eq!(of(None, "SJIS", "UTF8"), None);
        assert_eq!(of(Some("Shift_JIS_2004"), "UTF8", "UTF8"), None);
        assert_eq!(of(None, "EUC_JP", "UTF8"), Some(StreamEncoding::Foreign));
    }
}

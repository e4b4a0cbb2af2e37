//! Small pieces of SQL text that Herd itself writes.

use herd_catalog::quote_identifier;

/// NAMEDATALEN - 1.
pub const IDENTIFIER_BYTES_MAX: usize = 63;

/// A string constant, whatever `standard_conforming_strings` says.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

pub fn column_list<'a>(columns: impl IntoIterator<Item = &'a String>) -> String {
    columns.into_iter().map(|column| quote_identifier(column)).collect::<Vec<_>>().join(", ")
}

/// `first_second_label`, cut to an identifier's length as PostgreSQL's `makeObjectName` does:
/// whichever of the first two is longer gives way, the label never.
pub fn object_name(first: &str, second: &str, label: &str) -> String {
    let separators = usize::from(!second.is_empty()) + usize::from(!label.is_empty());
    let room = IDENTIFIER_BYTES_MAX.saturating_sub(label.len() + separators);
    let (mut first_bytes, mut second_bytes) = (first.len(), second.len());
    while first_bytes + second_bytes > room {
        if first_bytes > second_bytes {
            first_bytes -= 1;
        } else {
            second_bytes -= 1;
        }
    }
    let parts = [clip(first, first_bytes), clip(second, second_bytes), label];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_")
}

/// At most `bytes` of `text`, never half a character.
pub fn clip(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_survive_quotes_and_backslashes() {
        assert_eq!(literal("plain"), "'plain'");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
    }

    #[test]
    fn long_object_names_lose_from_the_longer_part() {
        assert_eq!(object_name("orders", "user_id", "fkey"), "orders_user_id_fkey");
        assert_eq!(object_name("t", "", "idx"), "t_idx");
        let name = object_name(&"a".repeat(60), &"b".repeat(30), "idx");
        assert_eq!(name, format!("{}_{}_idx", "a".repeat(29), "b".repeat(29)));
    }
}

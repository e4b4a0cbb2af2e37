//! Decoders of single values.

use herd_catalog::KeyType;
use herd_config::Config;

const KEY_TYPES: [KeyType; 13] = [
    KeyType::Bool,
    KeyType::Int2,
    KeyType::Int4,
    KeyType::Int8,
    KeyType::Text,
    KeyType::Varchar,
    KeyType::Bpchar,
    KeyType::Uuid,
    KeyType::Date,
    KeyType::Timestamp,
    KeyType::Timestamptz,
    KeyType::Numeric,
    KeyType::Bytea,
];

/// The value of a key, as a literal or a bound parameter: one byte for the type of the key, four
/// for the type that the client gives, and the value.
pub fn key_value(input: &[u8]) {
    let Some((&[choice, a, b, c, d], value)) = input.split_first_chunk() else { return };
    let key_type = KEY_TYPES[usize::from(choice) % KEY_TYPES.len()];
    for oid in [key_type.oid(), u32::from_be_bytes([a, b, c, d])] {
        let _ = key_type.from_binary(oid, value);
        let _ = key_type.from_text_of(oid, value);
    }
    if let Ok(value) = key_type.from_text(value) {
        let printed = key_type.to_text(&value);
        assert_eq!(key_type.from_text(printed.as_bytes()), Ok(value), "{printed}");
    }
}

/// The text of a `proxy.toml`.
pub fn config(text: &[u8]) {
    if let Err(error) = Config::parse(&String::from_utf8_lossy(text)) {
        assert!(!error.to_string().is_empty());
    }
}

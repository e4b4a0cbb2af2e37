//! The binary format, as the server sends it.

use herd_catalog::{KeyError, KeyType, KeyValue};

use crate::inputs::{self, KEY_TYPES};
use crate::server::ask;

const UNSPECIFIED: u32 = 0;

#[test]
fn what_the_server_sends_is_what_was_read_from_text() {
    for key_type in KEY_TYPES {
        let readable: Vec<(String, KeyValue)> = inputs::for_type(key_type)
            .into_iter()
            .filter_map(|text| {
                let value = key_type.from_text(text.as_bytes()).ok()?;
                Some((text, value))
            })
            .collect();
        let rows: Vec<[&str; 1]> = readable.iter().map(|(text, _)| [&**text]).collect();
        let send = send_function(key_type);
        let query = format!("select encode({send}($1[1]::{}), 'hex')", key_type.as_str());
        for ((text, value), hex) in readable.iter().zip(ask(&query, &rows)) {
            let bytes = from_hex(&hex);
            for oid in [UNSPECIFIED, key_type.oid()] {
                let read = key_type.from_binary(oid, &bytes);
                assert_eq!(read.as_ref(), Ok(value), "{key_type:?} {text:?} {hex}");
            }
        }
    }
}

#[test]
fn other_declared_types_are_taken_only_when_they_compare_exactly() {
    let int4 = KeyType::Int4.oid();
    let bpchar = KeyType::Bpchar.oid();
    let numeric = KeyType::Numeric.oid();
    assert_eq!(KeyType::Int8.from_binary(int4, &[0, 0, 0, 7]), Ok(KeyValue::Int(7)));
    assert_eq!(KeyType::Int2.from_text_of(int4, b"70000"), Ok(KeyValue::Int(70_000)));
    assert_eq!(KeyType::Int8.from_text_of(numeric, b"5.00"), Ok(KeyValue::Int(5)));
    assert_eq!(KeyType::Int8.from_text_of(numeric, b"5.01"), Err(KeyError::Unsure));
    assert_eq!(KeyType::Int8.from_text_of(KeyType::Text.oid(), b"5"), Err(KeyError::Unsure));
    assert_eq!(KeyType::Numeric.from_text_of(int4, b"5"), KeyType::Numeric.from_text(b"5.0"));
    assert_eq!(KeyType::Text.from_text_of(bpchar, b"a"), KeyType::Text.from_text(b"a"));
    assert_eq!(KeyType::Text.from_text_of(bpchar, b"a "), KeyType::Text.from_text(b"a"));
    assert_eq!(KeyType::Varchar.from_text_of(bpchar, b"a"), Err(KeyError::Unsure));
    let text = KeyType::Text.oid();
    assert_eq!(KeyType::Bpchar.from_text_of(text, b"a "), KeyType::Bpchar.from_text(b"a"));
    let timestamp = KeyType::Timestamp.oid();
    let noon = b"2020-01-01 12:00:00";
    assert_eq!(KeyType::Date.from_text_of(timestamp, noon), Err(KeyError::Unsure));
    assert_eq!(KeyType::Timestamptz.from_text_of(timestamp, noon), Err(KeyError::Unsure));
}

#[test]
fn malformed_bytes_are_invalid() {
    for key_type in KEY_TYPES {
        if matches!(key_type, KeyType::Bytea) || key_type.is_collated() {
            continue;
        }
        for length in [0, 3, 5, 7, 9, 17] {
            let result = key_type.from_binary(UNSPECIFIED, &vec![0; length]);
            assert_eq!(result, Err(KeyError::Invalid), "{key_type:?} {length}");
        }
    }
    assert_eq!(KeyType::Text.from_binary(UNSPECIFIED, b"a\0b"), Err(KeyError::Invalid));
    assert_eq!(KeyType::Text.from_binary(UNSPECIFIED, b"a\xff"), Err(KeyError::Unsure));
}

fn send_function(key_type: KeyType) -> &'static str {
    match key_type {
        KeyType::Bool => "boolsend",
        KeyType::Int2 => "int2send",
        KeyType::Int4 => "int4send",
        KeyType::Int8 => "int8send",
        KeyType::Text => "textsend",
        KeyType::Varchar => "varcharsend",
        KeyType::Bpchar => "bpcharsend",
        KeyType::Uuid => "uuid_send",
        KeyType::Date => "date_send",
        KeyType::Timestamp => "timestamp_send",
        KeyType::Timestamptz => "timestamptz_send",
        KeyType::Numeric => "numeric_send",
        KeyType::Bytea => "byteasend",
    }
}

fn from_hex(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("the server sends hex");
    (0..hex.len()).step_by(2).map(byte).collect()
}

//! The value of a key, as a literal or a bound parameter.

#![no_main]

use herd_catalog::KeyType;
use libfuzzer_sys::fuzz_target;

const TYPES: [KeyType; 13] = [
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

fuzz_target!(|input: (u8, u32, &[u8])| {
    let (pick, other_oid, bytes) = input;
    let key_type = TYPES[usize::from(pick) % TYPES.len()];
    for oid in [key_type.oid(), other_oid] {
        let _ = key_type.from_binary(oid, bytes);
        let _ = key_type.from_text_of(oid, bytes);
    }
    if let Ok(value) = key_type.from_text(bytes) {
        let printed = key_type.to_text(&value);
        assert_eq!(key_type.from_text(printed.as_bytes()), Ok(value), "{printed}");
    }
});

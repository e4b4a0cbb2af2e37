//! A few values that a PostgreSQL server gave; thousands are compared with a live one in
//! `tests/postgres`.

use super::{extended_hash, partition_hash};
use crate::KeyType;

#[test]
fn hashes_are_those_of_postgresql() {
    let check = |key_type: KeyType, text: &str, seed: u64, expected: i64| {
        let value = key_type.from_text(text.as_bytes()).expect("it is a value of the type");
        assert_eq!(extended_hash(&value, seed).cast_signed(), expected, "{key_type:?} {text}");
    };
    check(KeyType::Int8, "42", 0, 8_010_225_493_015_854_792);
    check(KeyType::Int4, "42", 0, 8_010_225_493_015_854_792);
    check(KeyType::Int8, "-42", super::PARTITION_SEED, 6_660_635_123_915_733_087);
    check(KeyType::Text, "abc", 0, -6_747_756_470_228_489_321);
    check(KeyType::Text, "", 1, -150_071_773_020_461_347);
    check(KeyType::Text, "abcdefghijkl", 1, -6_429_754_808_531_195_817);
    check(KeyType::Text, "abcdefghijklmnop", 1, 703_898_403_846_518_408);
    let uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    check(KeyType::Uuid, uuid, 1, -2_645_530_205_222_611_019);
    check(KeyType::Numeric, "-12345.678", 1, 8_937_381_504_604_897_645);
    check(KeyType::Numeric, "0", 1, 0);
    check(KeyType::Numeric, "NaN", 1, 1);
}

#[test]
fn columns_are_combined_and_nulls_left_out() {
    let number = KeyType::Int8.from_text(b"42").ok();
    let text = KeyType::Text.from_text(b"abc").ok();
    assert_eq!(partition_hash(&[number, text.clone()]) % 1_000, 243);
    assert_eq!(partition_hash(&[None, text]) % 1_000, 813);
    assert_eq!(partition_hash(&[None, None]), 0);
}

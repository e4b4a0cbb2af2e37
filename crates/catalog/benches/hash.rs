//! What it costs to find the fragment of a key: reading the value, and hashing it.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use herd_catalog::hash::partition_hash;
use herd_catalog::{KeyType, KeyValue};

fn hash(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("partition_hash");
    for (name, key_type, text) in cases() {
        let key = [key_type.from_text(text).ok()];
        group.bench_function(name, |bencher| bencher.iter(|| partition_hash(black_box(&key))));
    }
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("from_text");
    for (name, key_type, text) in cases() {
        group.bench_function(name, |bencher| bencher.iter(|| key_type.from_text(black_box(text))));
    }
    group.finish();
}

fn read_binary(criterion: &mut Criterion) {
    let bytes = 1_234_567_890_123_i64.to_be_bytes();
    criterion.bench_function("from_binary/int8", |bencher| {
        bencher
            .iter(|| -> Option<KeyValue> { KeyType::Int8.from_binary(20, black_box(&bytes)).ok() });
    });
}

fn cases() -> [(&'static str, KeyType, &'static [u8]); 6] {
    [
        ("int8", KeyType::Int8, b"1234567890123"),
        ("short text", KeyType::Text, b"user:12345"),
        ("uuid", KeyType::Uuid, b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("long text", KeyType::Text, &[b'x'; 200]),
        ("timestamptz", KeyType::Timestamptz, b"2024-02-29 12:34:56.789+00"),
        ("numeric", KeyType::Numeric, b"12345.6789"),
    ]
}

criterion_group!(benches, hash, read, read_binary);
criterion_main!(benches);

//! What the codec costs: finding frames, and reading a Bind in place.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use herd_wire::frame::{HEADER_BYTES, first};
use herd_wire::message::{self, Bind};

const ROWS: u64 = 1000;

fn find(criterion: &mut Criterion) {
    let mut stream = BytesMut::new();
    for _ in 0..ROWS {
        message::data_row(&mut stream, [Some(&b"12345"[..]), None, Some(b"a value")].into_iter());
    }
    let mut group = criterion.benchmark_group("frames");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("find the rows of an answer", |bencher| {
        bencher.iter(|| {
            let mut rest: &[u8] = black_box(&stream);
            let mut frames = 0;
            while let Ok(Some((header, _))) = first(rest) {
                rest = &rest[header.frame_bytes..];
                frames += 1;
            }
            frames
        });
    });
    group.finish();
}

fn read_bind(criterion: &mut Criterion) {
    let mut rest = Vec::new();
    rest.extend_from_slice(&[0, 1, 0, 1, 0, 1]);
    rest.extend_from_slice(&8_u32.to_be_bytes());
    rest.extend_from_slice(&42_u64.to_be_bytes());
    rest.extend_from_slice(&[0, 1, 0, 1]);
    let mut frame = BytesMut::new();
    message::bind(&mut frame, b"", b"statement", &rest);
    criterion.bench_function("read a Bind of one parameter", |bencher| {
        bencher.iter(|| {
            let bind = Bind::read(black_box(&frame[HEADER_BYTES..])).ok()?;
            bind.parameter(0).map(|(is_binary, value)| (is_binary, value.map(<[u8]>::len)))
        });
    });
}

criterion_group!(benches, find, read_bind);
criterion_main!(benches);

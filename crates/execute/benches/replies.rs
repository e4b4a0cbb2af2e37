//! What it costs to walk over a server's answers, shown as they are or with some of them hidden.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, criterion_group, criterion_main};
use herd_execute::{Expected, Output, Replies, Shown};
use herd_wire::message::{self, TransactionStatus};

fn answer() -> BytesMut {
    let mut answer = BytesMut::new();
    message::row_description(&mut answer, &[("abalance", 23)]);
    message::data_row(&mut answer, [Some(&b"12345"[..])].into_iter());
    message::command_complete(&mut answer, "SELECT 1");
    message::ready(&mut answer, TransactionStatus::Idle);
    answer
}

fn simple(criterion: &mut Criterion) {
    let answer = answer();
    let mut replies = Replies::default();
    let mut output = Output::default();
    criterion.bench_function("answer to a simple query", |bencher| {
        bencher.iter(|| {
            replies.expect(Expected::Query { token: None });
            let walked = replies.walk(black_box(&answer), &mut output, None).ok();
            output.clear();
            walked
        });
    });
}

fn hidden_parse(criterion: &mut Criterion) {
    let mut script = BytesMut::new();
    message::frame(&mut script, b'1', |_| {});
    message::frame(&mut script, b'2', |_| {});
    script.extend_from_slice(&answer());
    let single = |tag, hidden| Expected::Single { tag, hidden, token: None };
    let mut replies = Replies::default();
    let mut output = Output::default();
    criterion.bench_function("answer with a hidden Parse", |bencher| {
        bencher.iter(|| {
            replies.expect(single(b'1', true));
            replies.expect(single(b'2', false));
            replies.expect(Expected::DescribePortal);
            replies.expect(Expected::Execute { hidden: false, token: None });
            replies.expect(Expected::Ready { shown: Shown::AsItIs });
            let walked = replies.walk(black_box(&script), &mut output, None).ok();
            let told = walked.map(|consumed| output.bytes(&script, consumed).len());
            output.clear();
            told
        });
    });
}

criterion_group!(benches, simple, hidden_parse);
criterion_main!(benches);

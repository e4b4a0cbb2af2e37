//! Statements that Herd has had cancelled: the client is told why.

use super::*;

/// The server cancels a statement, for which the client is told this reason.
fn walk_explained(expected: &[Expected], input: &[Vec<u8>]) -> (Vec<u8>, Vec<Event>) {
    let mut replies = Replies::default();
    expected.iter().for_each(|each| replies.expect(each.clone()));
    replies.explain_cancel(Some(Bytes::from(deadlock())));
    walk_in_pieces(&mut replies, &input.concat(), 4).expect("a script in order")
}

fn deadlock() -> Vec<u8> {
    frame(b'E', b"SERROR\0C40P01\0Mdeadlock detected\0\0")
}

fn cancelled() -> Vec<u8> {
    frame(b'E', b"SERROR\0C57014\0Mcanceling statement due to user request\0\0")
}

#[test]
fn a_statement_cancelled_for_a_reason_tells_the_reason() {
    let error = Event::Error(Bytes::copy_from_slice(&deadlock()[HEADER_BYTES..]));
    let before = [frame(b'T', b"columns"), frame(b'D', b"row")].concat();
    let script = [before.clone(), cancelled(), ready(b'E')];
    let (told, events) = walk_explained(&[Expected::Query { token: None }], &script);
    assert_eq!(told, [before, deadlock(), ready(b'E')].concat());
    assert_eq!(events, [error.clone(), Event::Ready(TransactionStatus::Failed)]);

    let script = [frame(b'2', b""), cancelled(), ready(b'E')];
    let (told, events) = walk_explained(&[single(b'2'), execute(3), SYNC], &script);
    assert_eq!(told, [frame(b'2', b""), deadlock(), ready(b'E')].concat());
    assert_eq!(events[..2], [error, Event::Lost(Token(3))]);
}

#[test]
fn another_error_is_not_told_as_the_reason_of_a_cancel_request() {
    let script = [error(), ready(b'E')];
    let (told, _) = walk_explained(&[Expected::Query { token: None }], &script);
    assert_eq!(told, script.concat());
}

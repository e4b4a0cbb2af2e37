//! Scripts of server messages, and what the client gets of them.

use bytes::{Bytes, BytesMut};
use herd_wire::message::{self, TransactionStatus};

use super::*;

fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    message::frame(&mut out, tag, |out| out.extend_from_slice(body));
    out.to_vec()
}

fn complete(tag: &str) -> Vec<u8> {
    frame(b'C', format!("{tag}\0").as_bytes())
}

fn error() -> Vec<u8> {
    frame(b'E', b"SERROR\0C42601\0Mno\0\0")
}

fn ready(status: u8) -> Vec<u8> {
    frame(b'Z', &[status])
}

fn single(tag: u8) -> Expected {
    Expected::Single { tag, hidden: false, token: None }
}

fn hidden(tag: u8, token: u32) -> Expected {
    Expected::Single { tag, hidden: true, token: Some(Token(token)) }
}

fn execute(token: u32) -> Expected {
    Expected::Execute { hidden: false, token: Some(Token(token)) }
}

const SYNC: Expected = Expected::Ready { shown: Shown::AsItIs };

/// Feeds `input` in pieces of `piece` bytes, as a socket may deliver them.
fn walk_in_pieces(
    replies: &mut Replies,
    input: &[u8],
    piece: usize,
) -> Result<(Vec<u8>, Vec<Event>), RepliesError> {
    let (mut told, mut events, mut buffer) = (Vec::new(), Vec::new(), BytesMut::new());
    for part in input.chunks(piece) {
        buffer.extend_from_slice(part);
        let mut output = Output::default();
        let consumed = replies.walk(&buffer, &mut output, None)?;
        told.extend_from_slice(output.bytes(&buffer, consumed));
        events.extend(output.events.iter().cloned());
        bytes::Buf::advance(&mut buffer, consumed);
    }
    let mut answers = BytesMut::new();
    replies.take_answers(&mut answers);
    told.extend_from_slice(&answers);
    Ok((told, events))
}

/// What the client is told and what the session hears, however the bytes are cut.
fn walk(expected: &[Expected], input: &[Vec<u8>]) -> (Vec<u8>, Vec<Event>) {
    let input = input.concat();
    let mut outcomes = [1, 2, 3, 7, input.len().max(1)].map(|piece| {
        let mut replies = Replies::default();
        expected.iter().for_each(|each| replies.expect(each.clone()));
        let outcome = walk_in_pieces(&mut replies, &input, piece).expect("a script in order");
        assert!(replies.is_empty(), "nothing more is owed");
        outcome
    });
    let last = std::mem::take(&mut outcomes[4]);
    for outcome in &outcomes[..4] {
        assert_eq!(outcome, &last);
    }
    last
}

#[test]
fn a_simple_query_passes_untouched() {
    let script = [
        frame(b'T', b"columns"),
        frame(b'D', &[7; 300]),
        frame(b'N', b"notice"),
        complete("SELECT 1"),
        ready(b'I'),
    ];
    let (told, events) = walk(&[Expected::Query { token: Some(Token(4)) }], &script);
    assert_eq!(told, script.concat());
    assert_eq!(events, [Event::Done(Token(4)), Event::Ready(TransactionStatus::Idle)]);
}

#[test]
fn a_simple_query_that_fails_is_lost() {
    let (told, events) =
        walk(&[Expected::Query { token: Some(Token(4)) }], &[error(), ready(b'E')]);
    assert_eq!(told, [error(), ready(b'E')].concat());
    assert!(events.contains(&Event::Lost(Token(4))));
    assert!(!events.contains(&Event::Done(Token(4))));
}

#[test]
fn hidden_messages_leave_no_trace() {
    let script = [
        frame(b'1', b""),
        frame(b'2', b""),
        complete("BEGIN"),
        frame(b'2', b""),
        frame(b'D', b"row"),
        complete("SELECT 1"),
        ready(b'T'),
    ];
    let begin = Expected::Execute { hidden: true, token: None };
    let expected = [hidden(b'1', 1), hidden(b'2', 2), begin, single(b'2'), execute(3), SYNC];
    let (told, events) = walk(&expected, &script);
    assert_eq!(told, script[3..].concat());
    assert_eq!(events[..2], [Event::Done(Token(1)), Event::Done(Token(2))]);
}

#[test]
fn answers_of_herds_own_stand_where_they_belong() {
    let answer = |text: &'static [u8]| Expected::Answer(Bytes::from_static(text));
    let expected =
        [answer(b"first"), single(b'2'), answer(b"second"), execute(1), SYNC, answer(b"last")];
    let script = [frame(b'2', b""), complete("SELECT 0"), ready(b'I')];
    let (told, _) = walk(&expected, &script);
    let wanted = [
        b"first".to_vec(),
        script[0].clone(),
        b"second".to_vec(),
        script[1].clone(),
        script[2].clone(),
        b"last".to_vec(),
    ];
    assert_eq!(told, wanted.concat());
}

#[test]
fn after_an_error_all_up_to_the_sync_is_lost() {
    let expected =
        [hidden(b'1', 1), single(b'2'), execute(2), execute(3), SYNC, single(b'3'), SYNC];
    let script = [frame(b'1', b""), error(), ready(b'I'), frame(b'3', b""), ready(b'I')];
    let (told, events) = walk(&expected, &script);
    assert_eq!(told, script[1..].concat());
    let lost: Vec<_> = events.iter().filter(|e| matches!(e, Event::Lost(_))).collect();
    assert_eq!(lost, [&Event::Lost(Token(2)), &Event::Lost(Token(3))]);
}

#[test]
fn a_hidden_error_in_front_of_a_query_is_told_and_owes_a_sync() {
    let mut replies = Replies::default();
    replies.expect(hidden(b'1', 1));
    replies.expect(Expected::Query { token: Some(Token(2)) });
    let (told, events) = walk_in_pieces(&mut replies, &error(), 5).expect("an error");
    assert_eq!(told, error());
    assert_eq!(events[1..], [Event::Lost(Token(1)), Event::Lost(Token(2))]);
    assert!(replies.take_owed_sync());
    assert!(!replies.take_owed_sync(), "it is owed once");
    let (told, _) = walk_in_pieces(&mut replies, &ready(b'I'), 6).expect("the Sync's answer");
    assert_eq!(told, ready(b'I'));
}

#[test]
fn a_refusal_is_told_in_herds_words() {
    let refusal = Expected::Refusal(Bytes::from_static(b"refused"));
    let (told, events) = walk(&[refusal, SYNC], &[error(), ready(b'E')]);
    assert_eq!(told, [b"refused".to_vec(), ready(b'E')].concat());
    assert_eq!(events, [Event::Ready(TransactionStatus::Failed)]);
}

#[test]
fn readiness_is_shown_as_the_client_must_see_it() {
    let shown = Expected::Ready { shown: Shown::As(TransactionStatus::InBlock) };
    assert_eq!(walk(&[shown], &[ready(b'I')]).0, ready(b'T'));
    let unseen = Expected::Ready { shown: Shown::No };
    assert_eq!(walk(&[unseen, SYNC], &[ready(b'I'), ready(b'I')]).0, ready(b'I'));
}

#[test]
fn a_suspended_portal_is_not_done() {
    let (told, events) = walk(&[execute(1), SYNC], &[frame(b's', b""), ready(b'T')]);
    assert_eq!(told, [frame(b's', b""), ready(b'T')].concat());
    assert!(!events.contains(&Event::Done(Token(1))));
}

#[test]
fn a_sync_behind_a_copy_is_swallowed_by_the_server() {
    let mut replies = Replies::default();
    [single(b'2'), execute(1), SYNC].into_iter().for_each(|each| replies.expect(each));
    let script = [frame(b'2', b""), frame(b'G', &[0, 0, 0])].concat();
    let (_, events) = walk_in_pieces(&mut replies, &script, 4).expect("a COPY begins");
    assert_eq!(events, [Event::CopyIn]);
    replies.forget_sync_in_copy();
    assert!(replies.awaits_flush());
    let (_, events) = walk_in_pieces(&mut replies, &complete("COPY 1"), 9).expect("its end");
    assert_eq!(events, [Event::Done(Token(1))]);
    assert!(replies.is_empty());
}

#[test]
fn a_copy_with_more_behind_it_keeps_its_sync() {
    let mut replies = Replies::default();
    [execute(1), single(b'1'), SYNC].into_iter().for_each(|each| replies.expect(each));
    replies.forget_sync_in_copy();
    let script = [error(), ready(b'I')].concat();
    walk_in_pieces(&mut replies, &script, 3).expect("the server refuses what it gets");
    assert!(replies.is_empty());
}

#[test]
fn definitions_are_noticed() {
    let query = || [Expected::Query { token: None }];
    let (_, events) = walk(&query(), &[complete("ALTER ROLE"), ready(b'I')]);
    assert!(events.contains(&Event::Defined(Subject::Role)));
    let (_, events) = walk(&query(), &[complete("DROP TABLE"), ready(b'I')]);
    assert!(events.contains(&Event::Defined(Subject::Object)));
    let (_, events) = walk(&query(), &[complete("INSERT 0 1"), ready(b'I')]);
    assert_eq!(events, [Event::Ready(TransactionStatus::Idle)]);
}

fn shape(token: u32) -> Expected {
    Expected::Shape { token: Token(token), parameters: Bytes::new() }
}

#[test]
fn a_description_for_herd_is_heard_and_not_passed_on() {
    let (parameters, row) = (frame(b't', b"types"), frame(b'T', b"columns"));
    let (told, events) = walk(
        &[single(b'1'), shape(1), Expected::DescribeStatement, shape(2), SYNC],
        &[
            frame(b'1', b""),
            parameters.clone(),
            row.clone(),
            parameters.clone(),
            row.clone(),
            parameters.clone(),
            frame(b'n', b""),
            ready(b'I'),
        ],
    );
    assert_eq!(told, [frame(b'1', b""), parameters, row, ready(b'I')].concat());
    let described = |token, row: Option<&'static [u8]>| Event::Described {
        token: Token(token),
        parameters: Bytes::from_static(b"types"),
        row: row.map(Bytes::from_static),
    };
    let ready = Event::Ready(TransactionStatus::Idle);
    assert_eq!(events, [described(1, Some(b"columns")), described(2, None), ready]);
}

#[test]
fn a_description_for_herd_that_fails_is_an_error_for_the_client() {
    let (told, events) = walk(&[shape(1), execute(2), SYNC], &[error(), ready(b'I')]);
    assert_eq!(told, [error(), ready(b'I')].concat());
    assert!(events.contains(&Event::Lost(Token(2))));
    assert!(!events.iter().any(|event| matches!(event, Event::Described { .. })));
}

#[test]
fn what_nobody_asked_for_is_an_error() {
    for input in [frame(b'D', b"row"), ready(b'I'), frame(b'1', b""), frame(b'?', b"")] {
        let walked = walk_in_pieces(&mut Replies::default(), &input, input.len());
        assert!(matches!(walked, Err(RepliesError::Unexpected { .. })), "{input:?}");
    }
    let mut replies = Replies::default();
    replies.expect(single(b'2'));
    let walked = walk_in_pieces(&mut replies, &frame(b'1', b""), 5);
    assert!(matches!(walked, Err(RepliesError::Unexpected { tag: '1' })));
}

#[test]
fn a_message_that_must_be_whole_is_bounded() {
    let mut input = vec![b'E'];
    input.extend_from_slice(&u32::try_from(WHOLE_FRAME_BYTES_MAX).expect("fits").to_be_bytes());
    let mut replies = Replies::default();
    replies.expect(Expected::Query { token: None });
    let walked = walk_in_pieces(&mut replies, &input, 5);
    assert!(matches!(walked, Err(RepliesError::TooLong { .. })));
}

#[test]
fn a_walk_stops_at_a_type_that_is_not_known_and_goes_on_when_it_was_learnt() {
    let description = frame(b'T', b"\0\x01a\0\0\0\0\0\0\0\0\0\x75\x31\xff\xff\xff\xff\xff\xff\0\0");
    let input = [description, frame(b'D', b"\0\0"), complete("SELECT 1"), ready(b'I')].concat();
    let mut replies = Replies::default();
    replies.expect(Expected::Query { token: None });
    let mut output = Output::default();
    let numbers = Numbers::default();
    assert_eq!(replies.walk(&input, &mut output, Some(&numbers)).expect("in order"), 0);
    assert!(replies.wanted().is_some());
    let consumed = replies.walk(&input, &mut output, Some(&numbers)).expect("in order");
    assert_eq!(consumed, input.len());
    assert_eq!(replies.wanted(), None);
    let told = output.bytes(&input, consumed).to_vec();
    assert_eq!(told.len(), input.len());
    assert_eq!(told[15..19], 705u32.to_be_bytes());
    assert_eq!(told[25..], input[25..]);
}

#[test]
fn a_statement_of_a_query_string_ends_unseen_and_hands_over_its_completion() {
    let input = [frame(b'D', b"row"), complete("SELECT 1"), ready(b'T')].concat();
    for piece in [1, 7, input.len()] {
        let mut replies = Replies::default();
        replies.expect(Expected::Part { characters_before: 9 });
        let (told, events) = walk_in_pieces(&mut replies, &input, piece).unwrap();
        assert_eq!(told, frame(b'D', b"row"));
        let completed = Event::Completed(Bytes::from(complete("SELECT 1")));
        assert_eq!(events, [completed, Event::Ready(TransactionStatus::InBlock)]);
        assert!(replies.is_empty());
    }
}

#[test]
fn errors_of_a_statement_tell_where_in_the_query_string() {
    let notice = frame(b'N', b"SWARNING\0P2\0\0");
    let error = frame(b'E', b"SERROR\0C42601\0P8\0Rr\0\0");
    let mut replies = Replies::default();
    replies.expect(Expected::Part { characters_before: 95 });
    let input = [notice, error, ready(b'E')].concat();
    let (told, _) = walk_in_pieces(&mut replies, &input, input.len()).unwrap();
    let notice = frame(b'N', b"SWARNING\0P97\0\0");
    let error = frame(b'E', b"SERROR\0C42601\0P103\0Rr\0\0");
    assert_eq!(told, [notice, error].concat());
}

#[test]
fn a_hidden_begin_that_fails_takes_the_statement_of_a_query_string_with_it() {
    let mut replies = Replies::default();
    replies.expect(hidden(b'2', 1));
    replies.expect(Expected::Part { characters_before: 0 });
    let (told, _) = walk_in_pieces(&mut replies, &error(), 1024).unwrap();
    assert_eq!(told, error());
    assert!(replies.take_owed_sync());
    let (told, _) = walk_in_pieces(&mut replies, &ready(b'I'), 1024).unwrap();
    assert_eq!(told, b"");
    assert!(replies.is_empty());
}

#[test]
fn a_description_for_herd_is_in_the_numbers_that_clients_know() {
    let types = frame(b't', b"\0\x01\0\0\x75\x31");
    let input = [types, frame(b'n', b""), ready(b'I')].concat();
    let mut replies = Replies::default();
    [shape(1), SYNC].into_iter().for_each(|each| replies.expect(each));
    let mut output = Output::default();
    let numbers = Numbers::default();
    assert_eq!(replies.walk(&input, &mut output, Some(&numbers)).expect("in order"), 0);
    let consumed = replies.walk(&input, &mut output, Some(&numbers)).expect("in order");
    assert_eq!(output.bytes(&input, consumed), ready(b'I'));
    let parameters = Bytes::from_static(b"\0\x01\0\0\x02\xc1");
    let described = Event::Described { token: Token(1), parameters, row: None };
    assert_eq!(output.events[0], described);
}

#[test]
fn the_end_of_a_transaction_is_held_until_it_may_be_told() {
    let mut replies = Replies::default();
    replies.hold_end();
    for (tag, status, told_status) in [("BEGIN", b'T', true), ("COMMIT", b'I', false)] {
        replies.expect(Expected::Query { token: None });
        let script = [complete(tag), ready(status)];
        let (told, events) = walk_in_pieces(&mut replies, &script.concat(), 3).expect("in order");
        let expected = if told_status { script.concat() } else { complete(tag) };
        assert_eq!(told, expected);
        let status = TransactionStatus::from_byte(status).expect("a status");
        assert!(events.contains(&Event::Ready(status)));
    }
    assert!(replies.stop_holding());
    replies.expect(SYNC);
    let (told, _) = walk_in_pieces(&mut replies, &ready(b'I'), 6).expect("in order");
    assert_eq!(told, ready(b'I'));
    assert!(!replies.stop_holding());
}

mod cancelled;

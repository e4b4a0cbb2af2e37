//! Streams of several nodes, joined, however the bytes come in.

use bytes::{BufMut, BytesMut};
use herd_plan::Envelope;
use herd_wire::message;
use proptest::prelude::*;

use super::{Place, SIGNATURE, Said, State, Strand, StrandError, TRAILER};
use crate::output::Output;

const OPENING: &[u8] = b"H\0\0\0\x0b\0\0\x02\0\0\0\0";

fn binary_header(extension: &[u8]) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    header.extend([0; 4]);
    header.extend((extension.len() as u32).to_be_bytes());
    header.extend_from_slice(extension);
    header
}

/// What a node sends whose CopyData have these bodies.
fn sent(bodies: &[Vec<u8>]) -> BytesMut {
    let mut sent = BytesMut::from(OPENING);
    for body in bodies {
        message::frame(&mut sent, b'd', |out| out.extend_from_slice(body));
    }
    sent.extend_from_slice(&message::COPY_DONE);
    message::command_complete(&mut sent, "COPY 7");
    sent.put_slice(b"Z\0\0\0\x05I");
    sent
}

/// What the client gets of it, when so many bytes come at a time.
fn walk(strand: &mut Strand, sent: &[u8], step: usize) -> Result<Vec<u8>, StrandError> {
    let mut buffer = BytesMut::new();
    let mut shown = Vec::new();
    let mut openings = 0;
    strand.ask();
    for chunk in sent.chunks(step) {
        buffer.extend_from_slice(chunk);
        loop {
            let mut output = Output::default();
            let (consumed, said) = strand.walk(&buffer, &mut output)?;
            shown.extend_from_slice(output.bytes(&buffer, consumed));
            let _ = buffer.split_to(consumed);
            match said {
                None => break,
                Some(Said::CopyOut(frame)) => {
                    assert_eq!(frame, OPENING);
                    openings += 1;
                }
                Some(other) => panic!("{other:?}"),
            }
        }
    }
    assert!(buffer.is_empty());
    assert_eq!(openings, 1);
    Ok(shown)
}

/// The bodies of the CopyData that the client gets of each node.
fn join(envelope: Envelope, nodes: &[Vec<Vec<u8>>], step: usize) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let place = if index == 0 { Place::First } else { Place::Later };
        let mut strand = Strand::new(envelope, place);
        let shown = walk(&mut strand, &sent(node), step).expect("a valid stream");
        assert!(matches!(strand.state(), State::Ready { rows: Some(7), .. }));
        let mut rest = shown.as_slice();
        while let Some((header, body)) = herd_wire::frame::first(rest).expect("valid frames") {
            assert_eq!(header.tag, b'd');
            bodies.push(body.to_vec());
            rest = &rest[header.frame_bytes..];
        }
        assert!(rest.is_empty());
    }
    bodies
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn rows_without_a_header_pass_as_they_are() {
    let nodes = [texts(&["1\ta\n", "2\tb\n"]), texts(&[]), texts(&["3\tc\n"])];
    assert_eq!(join(Envelope::None, &nodes, 1 << 16).concat(), b"1\ta\n2\tb\n3\tc\n");
}

#[test]
fn the_line_of_names_comes_once() {
    let nodes = [texts(&["k,v\n"]), texts(&["k,v\n", "1,a\n"]), texts(&["k,v\n", "2,b\n"])];
    assert_eq!(join(Envelope::HeaderLine, &nodes, 1 << 16).concat(), b"k,v\n1,a\n2,b\n");
}

#[test]
fn a_message_that_is_not_copy_data_ends_the_walk() {
    let mut strand = Strand::new(Envelope::None, Place::First);
    strand.ask();
    let mut input = BytesMut::new();
    message::frame(&mut input, b'S', |out| out.extend_from_slice(b"TimeZone\0UTC\0"));
    message::frame(&mut input, b'E', |out| out.extend_from_slice(b"Mno\0\0"));
    input.put_slice(b"Z\0\0\0\x05E");
    let mut output = Output::default();
    let (first, said) = strand.walk(&input, &mut output).expect("valid");
    let (name, value) = ("TimeZone".to_owned(), "UTC".to_owned());
    assert_eq!(said, Some(Said::Parameter { name, value }));
    let mut output = Output::default();
    let (second, said) = strand.walk(&input[first..], &mut output).expect("valid");
    assert_eq!(said, Some(Said::Error(b"Mno\0\0".as_slice().into())));
    let mut output = Output::default();
    let (third, said) = strand.walk(&input[first + second..], &mut output).expect("valid");
    assert_eq!((said, first + second + third), (None, input.len()));
    assert!(matches!(strand.state(), State::Ready { rows: None, .. }));
}

#[test]
fn a_notice_reaches_the_client() {
    let mut strand = Strand::new(Envelope::HeaderLine, Place::Later);
    let mut input = BytesMut::new();
    message::frame(&mut input, b'N', |out| out.extend_from_slice(b"Mhear\0\0"));
    let notice = input.to_vec();
    input.extend_from_slice(&sent(&texts(&["k,v\n"])));
    assert_eq!(walk(&mut strand, &input, 3).expect("valid"), notice);
}

#[test]
fn what_is_no_binary_copy_is_refused() {
    for body in [b"PGCOPY\n\xff".to_vec(), vec![b'x'; 40], {
        let mut header = binary_header(b"");
        header[18] = 9;
        header
    }] {
        let mut strand = Strand::new(Envelope::Binary, Place::First);
        let refused = walk(&mut strand, &sent(&[body]), 1 << 16);
        assert!(matches!(refused, Err(StrandError::BinaryHeader)));
    }
}

fn binary_row() -> impl Strategy<Value = Vec<u8>> {
    let field = prop::option::of(prop::collection::vec(any::<u8>(), 0..40));
    prop::collection::vec(field, 0..4).prop_map(|fields| {
        let mut row = (fields.len() as u16).to_be_bytes().to_vec();
        for field in fields {
            match field {
                None => row.extend((-1_i32).to_be_bytes()),
                Some(value) => {
                    row.extend((value.len() as u32).to_be_bytes());
                    row.extend(value);
                }
            }
        }
        row
    })
}

proptest! {
    #[test]
    fn header_and_trailer_of_a_binary_stream_come_once(
        nodes in prop::collection::vec(prop::collection::vec(binary_row(), 0..4), 1..4),
        extension in prop::collection::vec(any::<u8>(), 0..3),
        step in 1..120_usize,
    ) {
        let header = binary_header(&extension);
        let bodies = |rows: &Vec<Vec<u8>>| {
            let mut bodies = rows.clone();
            bodies.push(TRAILER.to_vec());
            bodies[0] = [header.as_slice(), &bodies[0]].concat();
            bodies
        };
        let sent: Vec<_> = nodes.iter().map(bodies).collect();
        let mut expected = header.clone();
        expected.extend(nodes.concat().concat());
        prop_assert_eq!(join(Envelope::Binary, &sent, step).concat(), expected);
    }

    #[test]
    fn rows_pass_however_they_come(
        nodes in prop::collection::vec(prop::collection::vec("[a-z]{1,60}", 1..4), 1..4),
        step in 1..120_usize,
    ) {
        let sent: Vec<Vec<Vec<u8>>> = nodes
            .iter()
            .map(|lines| lines.iter().map(|line| line.clone().into_bytes()).collect())
            .collect();
        let rows = sent.concat();
        prop_assert_eq!(join(Envelope::None, &sent, step), rows);
        let mut expected = vec![sent[0][0].clone()];
        expected.extend(sent.iter().flat_map(|lines| lines[1..].to_vec()));
        prop_assert_eq!(join(Envelope::HeaderLine, &sent, step), expected);
    }
}

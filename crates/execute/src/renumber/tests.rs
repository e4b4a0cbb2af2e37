//! Frames with numbers of another node.

use std::collections::HashMap;

use herd_node::{Inventory, Named};
use herd_wire::message;

use super::*;

fn inventory(type_number: u32, relation_number: u32) -> Inventory {
    let named = |name: &str| Named { schema: "public".to_owned(), name: name.to_owned() };
    Inventory {
        types: HashMap::from([(named("mood"), type_number)]),
        relations: HashMap::from([(named("t"), relation_number)]),
    }
}

fn numbers() -> Numbers {
    Numbers::pair(&inventory(20_001, 20_002), &inventory(30_001, 30_002))
}

/// Columns: name, relation, type.
fn row_description(columns: &[(&str, u32, u32)]) -> Vec<u8> {
    let mut out = BytesMut::new();
    message::frame(&mut out, b'T', |out| {
        out.extend_from_slice(&u16::try_from(columns.len()).expect("few").to_be_bytes());
        for (name, relation, type_number) in columns {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(&[0]);
            out.extend_from_slice(&relation.to_be_bytes());
            out.extend_from_slice(&1u16.to_be_bytes());
            out.extend_from_slice(&type_number.to_be_bytes());
            out.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0]);
        }
    });
    out.to_vec()
}

fn parameter_description(types: &[u32]) -> Vec<u8> {
    let mut out = BytesMut::new();
    message::frame(&mut out, b't', |out| {
        out.extend_from_slice(&u16::try_from(types.len()).expect("few").to_be_bytes());
        types.iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
    });
    out.to_vec()
}

fn renumbered(frame: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    renumber(frame, &numbers(), &mut out);
    out.to_vec()
}

#[test]
fn columns_and_parameters_get_the_numbers_of_home() {
    let sent = row_description(&[("a", 30_002, 30_001), ("", 0, 25), ("b", 30_002, 23)]);
    let told = row_description(&[("a", 20_002, 20_001), ("", 0, 25), ("b", 20_002, 23)]);
    assert_eq!(missing(&sent, &numbers()), None);
    assert_eq!(renumbered(&sent), told);
    let sent = parameter_description(&[23, 30_001]);
    assert_eq!(missing(&sent, &numbers()), None);
    assert_eq!(renumbered(&sent), parameter_description(&[23, 20_001]));
}

#[test]
fn what_has_no_counterpart_is_noticed_and_passes_for_unknown() {
    let sent = row_description(&[("a", 31_000, 31_001)]);
    assert_eq!(missing(&sent, &numbers()), Some(Wanted::AtHome(Numbered::Relation, 31_000)));
    assert_eq!(renumbered(&sent), row_description(&[("a", 0, 705)]));
    let sent = parameter_description(&[25, 31_001]);
    assert_eq!(missing(&sent, &numbers()), Some(Wanted::AtHome(Numbered::Type, 31_001)));
}

#[test]
fn a_frame_that_is_cut_short_passes_as_it_is() {
    let whole = row_description(&[("a", 30_002, 30_001)]);
    for length in HEADER_BYTES..HEADER_BYTES + 5 {
        assert_eq!(renumbered(&whole[..length]), &whole[..length]);
    }
}

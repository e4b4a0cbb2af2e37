//! A client's byte stream: frames, and the messages of the extended protocol in them.

#![no_main]

use herd_wire::frame::{self, HEADER_BYTES};
use herd_wire::message::{Bind, Parse, Reader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|stream: &[u8]| {
    let mut rest = stream;
    while let Ok(Some((header, body))) = frame::first(rest) {
        match header.tag {
            b'P' => {
                if let Ok(parse) = Parse::read(body) {
                    assert!(parse.types().len() * 4 <= body.len());
                    parse.types().for_each(drop);
                }
            }
            b'B' => {
                if let Ok(bind) = Bind::read(body) {
                    (0..).map_while(|index| bind.parameter(index)).for_each(drop);
                }
            }
            _ => {
                let mut reader = Reader::new(body);
                while reader.string().is_ok() {}
                while matches!(reader.value(), Ok(Some(_))) {}
            }
        }
        rest = &rest[HEADER_BYTES + body.len()..];
    }
});

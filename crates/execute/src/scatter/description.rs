//! The RowDescription of a node, whose first columns are hidden.

use bytes::{BufMut, Bytes, BytesMut};
use herd_node::Numbering;
use herd_wire::frame::HEADER_BYTES;
use herd_wire::message::{self, Malformed, Reader};

use crate::renumber::{missing, renumber};

pub(super) struct Description {
    pub(super) hidden_types: Vec<u32>,
    /// A whole RowDescription.
    shown: Bytes,
}

impl Description {
    pub(super) fn read(frame: &Bytes, hidden: usize) -> Result<Description, Malformed> {
        let mut reader = Reader::new(frame.get(HEADER_BYTES..).ok_or(Malformed)?);
        let count = usize::from(reader.u16()?).checked_sub(hidden).ok_or(Malformed)?;
        let mut hidden_types = Vec::with_capacity(hidden);
        for _ in 0..hidden {
            reader.string()?;
            let (_table, _column) = (reader.u32()?, reader.u16()?);
            hidden_types.push(reader.u32()?);
            let (_length, _modifier, _format) = (reader.u16()?, reader.u32()?, reader.u16()?);
        }
        let count = u16::try_from(count).map_err(|_| Malformed)?;
        let mut shown = BytesMut::new();
        message::frame(&mut shown, b'T', |out| {
            out.put_u16(count);
            out.extend_from_slice(reader.rest());
        });
        Ok(Description { hidden_types, shown: shown.freeze() })
    }

    /// As the home node would have told it.
    pub(super) async fn put_shown(&self, numbering: Option<&Numbering>, out: &mut BytesMut) {
        let Some(numbering) = numbering else {
            out.extend_from_slice(&self.shown);
            return;
        };
        while let Some(wanted) = missing(&self.shown, &numbering.numbers()) {
            numbering.learn(wanted).await;
            if !numbering.numbers().knows(wanted) {
                break;
            }
        }
        renumber(&self.shown, &numbering.numbers(), out);
    }
}

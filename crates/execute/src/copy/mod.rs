//! COPY of a table that is on several nodes.
//!
//! FROM STDIN: the stream is cut into rows, each row goes verbatim to the node of its key, and all
//! nodes keep their rows or none does. TO STDOUT: the streams of all nodes are joined into one.

mod binary;
mod branch;
mod csv;
mod encoding;
mod error;
mod fields;
mod gather;
mod inlet;
mod key;
mod limits;
mod line_map;
mod lines;
mod outbox;
mod run;
mod skips;
mod splitter;
mod spreader;
mod strand;
mod stream;
#[cfg(test)]
mod tests;
mod text;
mod trouble;

pub use error::StreamError;
pub use gather::GatherRun;
pub use key::{KeyReader, StreamEncoding};
pub use run::{CopyOutcome, CopyRun, Scope};
pub use splitter::{Piece, Row, RowKey, RowSplitter};
pub use trouble::CopyTrouble;

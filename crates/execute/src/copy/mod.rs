//! COPY … FROM STDIN into a table that is on several nodes.
//!
//! The stream is cut into rows, each row goes verbatim to the node of its key, and all nodes
//! keep their rows or none does.

mod binary;
mod csv;
mod error;
mod fields;
mod key;
mod limits;
mod lines;
mod splitter;
#[cfg(test)]
mod tests;
mod text;

pub use error::StreamError;
pub use key::{KeyReader, StreamEncoding};
pub use splitter::{Piece, Row, RowKey, RowSplitter};

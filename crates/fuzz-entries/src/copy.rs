//! Decoders of COPY streams.

use std::sync::Arc;

use herd_catalog::{
    Bound, Catalog, Change, Column, FamilyWish, FragmentSpec, KindSpec, Method, Node, NodeRole,
    NodeStatus, NodeWish, Table, TableName, TableSpec,
};
use herd_execute::copy::{KeyReader, Piece, RowSplitter, StreamEncoding};
use herd_plan::{CopyFormat, CsvFormat, TextFormat};
use herd_types::NodeId;

pub fn copy_text(stream: &[u8]) {
    let format = || {
        CopyFormat::Text(TextFormat {
            delimiter: b'\t',
            null: b"\\N".to_vec(),
            default: None,
            header: false,
        })
    };
    splits_alike(format, stream);
}

pub fn copy_csv(stream: &[u8]) {
    // The first byte chooses among the shapes that the format has.
    let (shape, stream) = stream.split_first().map_or((0, stream), |(&shape, rest)| (shape, rest));
    let format = || {
        CopyFormat::Csv(CsvFormat {
            delimiter: b',',
            quote: b'"',
            escape: if shape & 1 == 0 { b'"' } else { b'\\' },
            null: if shape & 2 == 0 { Vec::new() } else { b"null".to_vec() },
            default: (shape & 4 != 0).then(|| b"\\D".to_vec()),
            header: shape & 8 != 0,
            force_null: if shape & 16 == 0 { Vec::new() } else { vec![0] },
            force_not_null: Vec::new(),
        })
    };
    splits_alike(format, stream);
}

pub fn copy_binary(stream: &[u8]) {
    splits_alike(|| CopyFormat::Binary, stream);
}

/// However a stream is cut into chunks, it is split into the same pieces, and they are its bytes.
fn splits_alike(format: impl Fn() -> CopyFormat, stream: &[u8]) {
    let whole = split(format(), &[stream]);
    let middle = stream.len() / 2;
    assert_eq!(whole, split(format(), &[&stream[..middle], &stream[middle..]]));
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(whole, split(format(), &bytes));
    if let Ok(pieces) = whole {
        let passed_on: Vec<u8> = pieces.into_iter().flat_map(|(bytes, _)| bytes).collect();
        assert!(stream.starts_with(&passed_on));
    }
}

/// The bytes of each piece and what its key is, or why the stream was refused.
fn split(format: CopyFormat, chunks: &[&[u8]]) -> Result<Vec<(Vec<u8>, String)>, String> {
    let catalog = catalog();
    let table: &Table = catalog.tables().next().expect("the catalog has one table");
    let key = KeyReader::new(table, &[Some(0)], StreamEncoding::Server);
    let mut splitter = RowSplitter::new("t", format, 2, key, true);
    let mut pieces = Vec::new();
    let mut sink = |piece: Piece<'_>| {
        pieces.push(match piece {
            Piece::ForAll { bytes, .. } => (bytes.to_vec(), "for all".to_owned()),
            Piece::Row(row) => (row.bytes.to_vec(), format!("{:?}", row.key)),
        });
        Ok(())
    };
    let outcome = chunks
        .iter()
        .try_for_each(|chunk| splitter.push(chunk, &mut sink))
        .and_then(|()| splitter.finish(&mut sink));
    outcome.map(|()| pieces).map_err(|error| error.to_string())
}

/// `t (k bigint, v text)`, fragmented by hash of `k` on two nodes.
pub(crate) fn catalog() -> Arc<Catalog> {
    let column = |name: &str, type_name: &str| Column {
        name: name.to_owned(),
        type_name: type_name.to_owned(),
        generated: false,
        has_default: false,
    };
    let fragment = |remainder| FragmentSpec {
        name: TableName::new("public", format!("t_{remainder}")),
        bound: Bound::Hash { modulus: 2, remainder },
        node: NodeWish::Any,
    };
    let change = Change::AddTable(TableSpec {
        name: TableName::new("public", "t"),
        columns: vec![column("k", "bigint"), column("v", "text")],
        kind: KindSpec::Fragmented {
            method: Method::Hash,
            key: vec!["k".to_owned()],
            fragments: (0..2).map(fragment).collect(),
            family: FamilyWish::Alike,
        },
    });
    let empty = Catalog::new(NodeId(1), [node(1), node(2)]);
    Arc::new(empty.apply(&change).expect("a valid table"))
}

fn node(id: u16) -> Node {
    Node {
        id: NodeId(id),
        name: format!("n{id}"),
        host: "127.0.0.1".to_owned(),
        port: 5432,
        dc: String::new(),
        zone: String::new(),
        role: NodeRole::Primary,
        status: NodeStatus::Active,
        capacity: 1,
    }
}

//! Nanoseconds for one row of 110 bytes: finding it, reading its key, placing it.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use herd_catalog::{
    Bound, Catalog, Change, Column, FamilyWish, FragmentSpec, KindSpec, Method, Node, NodeRole,
    NodeStatus, NodeWish, Table, TableName, TableSpec,
};
use herd_execute::copy::{KeyReader, Piece, RowKey, RowSplitter, StreamEncoding};
use herd_plan::{CopyFormat, CsvFormat, TextFormat};
use herd_types::NodeId;

const ROWS: u64 = 10_000;
const ROW_BYTES: usize = 110;
/// What a client is read by.
const CHUNK_BYTES: usize = 64 * 1024;
const FRAGMENTS: u32 = 12;

fn table(key_type: &str) -> Table {
    let node = |id: u16| Node {
        id: NodeId(id),
        name: format!("n{id}"),
        host: "127.0.0.1".into(),
        port: 5432,
        dc: String::new(),
        zone: String::new(),
        role: NodeRole::Primary,
        status: NodeStatus::Active,
        capacity: 1,
    };
    let column = |name: &str, type_name: &str| Column {
        name: name.into(),
        type_name: type_name.into(),
        generated: false,
        has_default: false,
    };
    let fragments = (0..FRAGMENTS).map(|remainder| FragmentSpec {
        name: TableName::new("public", format!("t_{remainder}")),
        bound: Bound::Hash { modulus: FRAGMENTS, remainder },
        node: NodeWish::Any,
    });
    let change = Change::AddTable(TableSpec {
        name: TableName::new("public", "t"),
        columns: vec![
            column("id", key_type),
            column("account", "integer"),
            column("at", "timestamp with time zone"),
            column("note", "text"),
        ],
        kind: KindSpec::Fragmented {
            method: Method::Hash,
            key: vec!["id".into()],
            fragments: fragments.collect(),
            family: FamilyWish::Alike,
        },
    });
    let catalog = Catalog::new(NodeId(1), (1..=3).map(node)).apply(&change).expect("a table");
    Table::clone(catalog.tables().next().expect("it was added"))
}

fn lines(delimiter: char, quote: &str) -> Vec<u8> {
    let mut stream = String::new();
    for number in 0..ROWS {
        let row = [
            (number * 2_654_435_761 % 1_000_000_000_000).to_string(),
            (number % 1000).to_string(),
            "2024-01-01 00:00:00+00".to_owned(),
        ]
        .map(|field| format!("{quote}{field}{quote}{delimiter}"))
        .concat();
        let rest = ROW_BYTES - 1 - row.len() - 2 * quote.len();
        stream += &format!("{row}{quote}{}{quote}\n", "x".repeat(rest));
    }
    stream.into_bytes()
}

fn tuples() -> Vec<u8> {
    let mut stream = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for number in 0..ROWS {
        stream.extend(4_u16.to_be_bytes());
        stream.extend(8_u32.to_be_bytes());
        stream.extend((number * 2_654_435_761).to_be_bytes());
        stream.extend(4_u32.to_be_bytes());
        stream.extend((number as u32).to_be_bytes());
        stream.extend(8_u32.to_be_bytes());
        stream.extend(number.to_be_bytes());
        stream.extend(72_u32.to_be_bytes());
        stream.extend([b'x'; 72]);
    }
    stream.extend(u16::MAX.to_be_bytes());
    stream
}

fn split(c: &mut Criterion) {
    let text = CopyFormat::Text(TextFormat {
        delimiter: b'\t',
        null: b"\\N".to_vec(),
        default: None,
        header: false,
    });
    let csv = CopyFormat::Csv(CsvFormat {
        delimiter: b',',
        quote: b'"',
        escape: b'"',
        null: Vec::new(),
        default: None,
        header: false,
        force_null: Vec::new(),
        force_not_null: Vec::new(),
    });
    let mut group = c.benchmark_group("copy_split");
    group.throughput(Throughput::Elements(ROWS));
    for (name, key_type, format, stream) in [
        ("text, bigint key", "bigint", text.clone(), lines('\t', "")),
        ("text, text key", "text", text, lines('\t', "")),
        ("csv, bigint key", "bigint", csv.clone(), lines(',', "")),
        ("csv, all quoted", "bigint", csv, lines(',', "\"")),
        ("binary, bigint key", "bigint", CopyFormat::Binary, tuples()),
    ] {
        let table = table(key_type);
        let fragmentation = table.fragmentation().expect("fragmented");
        group.bench_function(name, |b| {
            let mut nodes = [const { Vec::<u8>::new() }; 4];
            b.iter(|| {
                let key = KeyReader::new(&table, &[Some(0)], StreamEncoding::Server);
                let mut splitter = RowSplitter::new("t", format.clone(), 4, key, true);
                nodes.iter_mut().for_each(Vec::clear);
                let mut sink = |piece: Piece<'_>| {
                    if let Piece::Row(row) = piece
                        && let RowKey::Known(key) = row.key
                        && let Some(fragment) = fragmentation.fragment_for(key)
                    {
                        nodes[usize::from(fragment.primary.0)].extend_from_slice(row.bytes);
                    }
                    Ok(())
                };
                for chunk in stream.chunks(CHUNK_BYTES) {
                    splitter.push(black_box(chunk), &mut sink).expect("a good stream");
                }
                splitter.finish(&mut sink).expect("a good stream");
                black_box(&nodes);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, split);
criterion_main!(benches);

//! Splitting by itself; `tests/copy_split.rs` compares it with PostgreSQL.

use herd_catalog::{
    Bound, Catalog, Change, Column, FamilyWish, FragmentSpec, KeyValue, KindSpec, Method, Node,
    NodeRole, NodeStatus, NodeWish, Table, TableName, TableSpec,
};
use herd_plan::{CopyFormat, CsvFormat, TextFormat};
use herd_types::{ClientError, NodeId};
use proptest::prelude::*;

use super::{KeyReader, Piece, RowKey, RowSplitter, StreamEncoding};

/// `t (k key_type, v text)`, hash-fragmented by `k`.
fn table(key_type: &str) -> Table {
    let node = Node {
        id: NodeId(1),
        name: "n1".into(),
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
        has_default: name == "k",
    };
    let fragment = FragmentSpec {
        name: TableName::new("public", "t_0"),
        bound: Bound::Hash { modulus: 1, remainder: 0 },
        node: NodeWish::Any,
    };
    let change = Change::AddTable(TableSpec {
        name: TableName::new("public", "t"),
        columns: vec![column("k", key_type), column("v", "text")],
        kind: KindSpec::Fragmented {
            method: Method::Hash,
            key: vec!["k".into()],
            fragments: vec![fragment],
            family: FamilyWish::Alike,
        },
    });
    let catalog = Catalog::new(NodeId(1), [node]).apply(&change).expect("a valid table");
    let table = catalog.tables().next().expect("it was added");
    Table::clone(table)
}

fn text() -> TextFormat {
    TextFormat { delimiter: b'\t', null: b"\\N".to_vec(), default: None, header: false }
}

fn csv() -> CsvFormat {
    CsvFormat {
        delimiter: b',',
        quote: b'"',
        escape: b'"',
        null: Vec::new(),
        default: None,
        header: false,
        force_null: Vec::new(),
        force_not_null: Vec::new(),
    }
}

fn splitter(key_type: &str, format: CopyFormat) -> RowSplitter {
    let key = KeyReader::new(&table(key_type), &[Some(0)], StreamEncoding::Server);
    RowSplitter::new("t", format, 2, key, true)
}

/// Every piece as `*bytes` for all, `key|bytes` for one; keys of text as they are.
fn split(mut splitter: RowSplitter, chunks: &[&[u8]]) -> Result<Vec<String>, ClientError> {
    let mut pieces = Vec::new();
    let mut sink = |piece: Piece<'_>| {
        pieces.push(match piece {
            Piece::ForAll { bytes, .. } => format!("*{}", bytes.escape_ascii()),
            Piece::Row(row) => format!("{}|{}", key_text(&row.key), row.bytes.escape_ascii()),
        });
        Ok(())
    };
    for chunk in chunks {
        splitter.push(chunk, &mut sink)?;
    }
    splitter.finish(&mut sink)?;
    Ok(pieces)
}

fn key_text(key: &RowKey<'_>) -> String {
    match key {
        RowKey::Broken => "broken".into(),
        RowKey::Known([None]) => "null".into(),
        RowKey::Known([Some(KeyValue::Int(value))]) => value.to_string(),
        RowKey::Known([Some(KeyValue::Text(text))]) => text.escape_ascii().to_string(),
        RowKey::Known(other) => format!("{other:?}"),
    }
}

fn check(key_type: &str, format: CopyFormat, stream: &[u8], expected: &[&str]) {
    let pieces = split(splitter(key_type, format), &[stream]).expect("a good stream");
    assert_eq!(pieces, expected, "{}", stream.escape_ascii());
}

fn refuses(format: CopyFormat, stream: &[u8], message: &str) {
    let error = split(splitter("text", format), &[stream]).expect_err("a bad stream");
    assert_eq!(format!("{}: {}", error.message, error.detail.unwrap_or_default()), message);
}

#[test]
fn text_rows_keep_their_bytes_and_keys_lose_their_escapes() {
    let stream = b"1\ta\n\\N\tb\\\nc\n 3\\\t\td\n\\x34\\62\te\nx\tf\n\t\n";
    let expected = [
        r"1|1\ta\n",
        r"null|\\N\tb\\\nc\n",
        r"3| 3\\\t\td\n",
        r"42|\\x34\\62\te\n",
        r"broken|x\tf\n",
        r"broken|\t\n",
    ];
    check("bigint", CopyFormat::Text(text()), stream, &expected);
}

#[test]
fn a_last_row_needs_no_newline() {
    check("text", CopyFormat::Text(text()), b"a\t1\nb\t2", &[r"a|a\t1\n", r"b|b\t2"]);
    check("text", CopyFormat::Csv(csv()), b"a,1\r\nb,2", &[r"a|a,1\r\n", "b|b,2"]);
}

#[test]
fn the_first_line_decides_how_lines_end() {
    check("text", CopyFormat::Text(text()), b"a\t1\rb\t2\r", &[r"a|a\t1\r", r"b|b\t2\r"]);
    let crlf: &[&str] = &[r"a|a\t1\r\n", r"b|b\t2\r\n"];
    check("text", CopyFormat::Text(text()), b"a\t1\r\nb\t2\r\n", crlf);
    let text = || CopyFormat::Text(text());
    refuses(text(), b"a\t1\nb\t\r\n", "literal carriage return found in data: COPY t, line 2");
    refuses(text(), b"a\t1\r\nb\t\n", "literal newline found in data: COPY t, line 2");
    refuses(text(), b"a\t1\r\nb\t\rc", "literal carriage return found in data: COPY t, line 2");
    refuses(text(), b"a\t1\rb\t\nc", "literal newline found in data: COPY t, line 2");
    let csv = || CopyFormat::Csv(csv());
    refuses(csv(), b"a,1\nb,\r\n", "unquoted carriage return found in data: COPY t, line 2");
    refuses(csv(), b"a,1\rb\n", "unquoted newline found in data: COPY t, line 2");
}

#[test]
fn an_end_marker_ends_the_stream_and_is_not_passed_on() {
    check("text", CopyFormat::Text(text()), b"a\t1\n\\.\nb\t2\n", &[r"a|a\t1\n"]);
    check("text", CopyFormat::Csv(csv()), b"a,1\n\\.\nb,2\n", &["a|a,1\\n"]);
    check("text", CopyFormat::Text(text()), b"a\\\\.\t1\n", &[r"a\\.|a\\\\.\t1\n"]);
    let message = "end-of-copy marker is not alone on its line: COPY t, line 2";
    refuses(CopyFormat::Text(text()), b"a\t1\nb\t\\.\n", message);
    refuses(CopyFormat::Text(text()), b"a\t1\n\\.", message);
}

#[test]
fn csv_quotes_hide_delimiters_and_newlines() {
    let stream = b"\"a,\n\"\"b\",1\nx\"\ny\"z,2\n\"\",3\n,4\n";
    let expected = [
        "a,\\n\"b|\"a,\\n\"\"b\",1\\n".replace('"', "\\\""),
        "x\\nyz|x\"\\ny\"z,2\\n".replace('"', "\\\""),
        "|\"\",3\\n".replace('"', "\\\""),
        "null|,4\\n".to_owned(),
    ];
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check("text", CopyFormat::Csv(csv()), stream, &expected);
}

#[test]
fn csv_null_depends_on_quotes_unless_forced() {
    let null_is_x = CsvFormat { null: b"x".to_vec(), ..csv() };
    check("text", CopyFormat::Csv(null_is_x.clone()), b"x,1\n", &["null|x,1\\n"]);
    check("text", CopyFormat::Csv(null_is_x.clone()), b"\"x\",1\n", &["x|\\\"x\\\",1\\n"]);
    let forced = CsvFormat { force_null: vec![0], ..null_is_x.clone() };
    check("text", CopyFormat::Csv(forced), b"\"x\",1\n", &["null|\\\"x\\\",1\\n"]);
    let never = CsvFormat { force_not_null: vec![0], ..null_is_x };
    check("text", CopyFormat::Csv(never), b"x,1\n", &["x|x,1\\n"]);
}

#[test]
fn a_header_goes_to_all_nodes() {
    let format = CopyFormat::Csv(CsvFormat { header: true, ..csv() });
    check("text", format, b"\"k\n\",v\na,1\n", &["*\\\"k\\n\\\",v\\n", "a|a,1\\n"]);
}

#[test]
fn a_default_for_the_key_is_refused() {
    let format = CopyFormat::Text(TextFormat { default: Some(b"\\D".to_vec()), ..text() });
    let message =
        "column \"k\" of the fragment key cannot take its default in COPY: COPY t, line 1";
    refuses(format, b"\\D\tx\n", message);
}

#[test]
fn lines_are_counted_as_postgresql_counts_them() {
    let stream = b"\"a\n\n\",1\nb,2\nc,\r";
    refuses(
        CopyFormat::Csv(csv()),
        stream,
        "unquoted carriage return found in data: COPY t, line 5",
    );
}

const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x03ext";
const TRAILER: &[u8] = b"\xff\xff";

fn tuple(fields: &[Option<&[u8]>]) -> Vec<u8> {
    let mut tuple = (fields.len() as u16).to_be_bytes().to_vec();
    for field in fields {
        tuple.extend(field.map_or(-1, |field| field.len() as i32).to_be_bytes());
        tuple.extend_from_slice(field.unwrap_or_default());
    }
    tuple
}

#[test]
fn binary_rows_are_found_by_their_lengths() {
    let rows = [tuple(&[Some(b"a\n"), None]), tuple(&[None, Some(b"")]), TRAILER.to_vec()];
    let stream = [HEAD.to_vec(), rows.concat()].concat();
    let expected = [
        format!("*{}", HEAD.escape_ascii()),
        format!("a\\n|{}", rows[0].escape_ascii()),
        format!("null|{}", rows[1].escape_ascii()),
        format!("*{}", TRAILER.escape_ascii()),
    ];
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    check("text", CopyFormat::Binary, &stream, &expected);
}

#[test]
fn broken_binary_streams_are_refused() {
    let stream = |rest: &[u8]| [HEAD, rest].concat();
    let refuses = |stream: &[u8], message| refuses(CopyFormat::Binary, stream, message);
    refuses(&[b'x'; 19], "COPY file signature not recognized: COPY t, line 1");
    refuses(&stream(b"\0\x03"), "row field count is 3, expected 2: COPY t, line 1");
    refuses(&stream(b"\0\x02\xff\xff\xff\xfe"), "invalid field size: COPY t, line 1");
    let after = "received copy data after EOF marker: COPY t, line 1";
    refuses(&stream(b"\xff\xff\0"), after);
}

#[test]
fn an_unfinished_tuple_is_left_to_a_server() {
    let stream = [HEAD, b"\0\x02\0\0\0\x01"].concat();
    let pieces = split(splitter("text", CopyFormat::Binary), &[&stream]).expect("passed on");
    assert_eq!(pieces[1], r"broken|\x00\x02\x00\x00\x00\x01");
}

#[test]
fn keys_of_another_encoding_must_be_ascii() {
    let foreign = || {
        let key = KeyReader::new(&table("text"), &[Some(0)], StreamEncoding::Foreign);
        RowSplitter::new("t", CopyFormat::Text(text()), 2, key, true)
    };
    assert!(split(foreign(), &[b"a\t\xe9\n"]).is_ok());
    assert!(split(foreign(), &[b"\xe9\ta\n"]).is_err());
}

fn formats() -> impl Strategy<Value = CopyFormat> {
    prop_oneof![
        Just(CopyFormat::Text(text())),
        Just(CopyFormat::Text(TextFormat { delimiter: b'|', header: true, ..text() })),
        Just(CopyFormat::Csv(csv())),
        Just(CopyFormat::Csv(CsvFormat { escape: b'\\', header: true, ..csv() })),
        Just(CopyFormat::Csv(CsvFormat { quote: b'\'', escape: b'"', ..csv() })),
        Just(CopyFormat::Binary),
    ]
}

fn streams() -> impl Strategy<Value = Vec<u8>> {
    let soup = prop::sample::select(b"ab,\t|\"'\\\n\n\r.N\0\x01\xff".to_vec());
    let rows = prop::collection::vec((any::<Option<[u8; 3]>>(), any::<Option<[u8; 1]>>()), 0..5);
    prop_oneof![
        3 => prop::collection::vec(soup, 0..80),
        1 => rows.prop_map(|rows| {
            let tuples = rows.iter().flat_map(|(k, v)| {
                tuple(&[k.as_ref().map(|k| k.as_slice()), v.as_ref().map(|v| v.as_slice())])
            });
            HEAD.iter().copied().chain(tuples).chain(TRAILER.iter().copied()).collect()
        }),
    ]
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_pieces(
        format in formats(),
        stream in streams(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        bytewise in any::<bool>(),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = match bytewise {
            true => stream.chunks(1).collect(),
            false => cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect(),
        };
        let whole = split(splitter("text", format.clone()), &[&stream]);
        prop_assert_eq!(split(splitter("text", format), &chunks), whole);
    }

    #[test]
    fn pieces_of_text_and_csv_make_up_the_stream(format in formats(), stream in streams()) {
        let mut splitter = splitter("text", format);
        let mut joined = Vec::new();
        let mut sink = |piece: Piece<'_>| {
            match piece {
                Piece::ForAll { bytes, .. } => joined.extend_from_slice(bytes),
                Piece::Row(row) => joined.extend_from_slice(row.bytes),
            }
            Ok(())
        };
        if splitter.push(&stream, &mut sink).and_then(|()| splitter.finish(&mut sink)).is_ok() {
            prop_assert!(stream.starts_with(&joined));
            let dropped = &stream[joined.len()..];
            prop_assert!(dropped.is_empty() || dropped.starts_with(b"\\."));
        }
    }
}

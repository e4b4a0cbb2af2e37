//! Streams cut by key and copied into nodes, against the whole stream copied into one table of a
//! real PostgreSQL.
//!
//! The nodes are schemas of one server, each with the parent and only its own fragments: a row
//! that was sent to the wrong one is refused there.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::SinkExt;
use herd_catalog::{
    Bound, Catalog, Change, Column, FamilyWish, FragmentSpec, KindSpec, Method, Node, NodeRole,
    NodeStatus, NodeWish, SearchPath, TableName, TableSpec,
};
use herd_execute::copy::{KeyReader, Piece, RowKey, RowSplitter, StreamEncoding};
use herd_plan::{Action, Context, CopyIn, Planner, Query, Spread};
use herd_testkit::TempPostgres;
use herd_types::{ClientError, NodeId, SqlState};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

const NODES: u16 = 3;
const FRAGMENTS: u32 = 7;
const PLAN_CACHE_BYTES: usize = 1 << 20;

/// `public.whole` is not fragmented; `n1.t`, `n2.t`, … are the nodes'.
struct Bed {
    runtime: Runtime,
    client: Client,
    /// Gone when the bed is.
    _server: TempPostgres,
    catalog: Arc<Catalog>,
    key_type: &'static str,
    server_major: u32,
}

impl Bed {
    fn new(key_type: &'static str) -> Bed {
        let server = TempPostgres::start(&[]);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = runtime.block_on(async {
            let (client, connection) =
                tokio_postgres::connect(&server.dsn(), NoTls).await.expect("a connection");
            tokio::spawn(connection);
            client.batch_execute("SET client_min_messages = error").await.expect("a setting");
            client
        });
        let version: u32 = runtime
            .block_on(client.query_one("SHOW server_version_num", &[]))
            .expect("a version")
            .get::<_, String>(0)
            .parse()
            .expect("a number");
        let catalog = Arc::new(catalog(key_type));
        let bed = Bed {
            runtime,
            client,
            _server: server,
            catalog,
            key_type,
            server_major: version / 10_000,
        };
        bed.create_tables();
        bed
    }

    fn create_tables(&self) {
        let columns = format!("v text, k {}, d int DEFAULT 7", self.key_type);
        let mut sql = format!("DROP TABLE IF EXISTS whole; CREATE TABLE whole ({columns});");
        for node in 1..=NODES {
            sql += &format!(
                "DROP SCHEMA IF EXISTS n{node} CASCADE; CREATE SCHEMA n{node};
                 CREATE TABLE n{node}.t ({columns}) PARTITION BY HASH (k);"
            );
        }
        let table = self.catalog.tables().next().expect("one table");
        for fragment in table.fragmentation().expect("fragmented").fragments() {
            let Bound::Hash { modulus, remainder } = fragment.bound else { unreachable!() };
            let node = fragment.primary.0;
            sql += &format!(
                "CREATE TABLE n{node}.{} PARTITION OF n{node}.t
                 FOR VALUES WITH (MODULUS {modulus}, REMAINDER {remainder});",
                fragment.name.name
            );
        }
        self.runtime.block_on(self.client.batch_execute(&sql)).expect("tables");
    }

    /// Copies `stream` with `options` both ways and compares what is there afterwards.
    fn check(&self, options: &str, stream: &[u8]) -> Result<(), TestCaseError> {
        self.runtime.block_on(async {
            self.client.batch_execute("BEGIN; SAVEPOINT s").await.expect("a transaction");
            let whole = self.copy_whole(options, stream).await;
            self.client.batch_execute("ROLLBACK TO s").await.expect("still there");
            let split = self.copy_split(options, stream).await;
            self.client.batch_execute("ROLLBACK").await.expect("still there");
            compare(whole, split)
        })
    }

    async fn copy_whole(&self, options: &str, stream: &[u8]) -> Result<Vec<String>, String> {
        self.copy(&format!("COPY whole FROM STDIN {options}"), stream).await?;
        Ok(self.rows("TABLE whole").await)
    }

    async fn copy_split(&self, options: &str, stream: &[u8]) -> Result<Vec<String>, Failure> {
        let streams = self.split(options, stream).map_err(Failure::Herd)?;
        for (node, stream) in (1..).zip(streams) {
            let sql = format!("COPY n{node}.t FROM STDIN {options}");
            self.copy(&sql, &stream).await.map_err(Failure::Server)?;
        }
        let all: Vec<String> = (1..=NODES).map(|node| format!("SELECT * FROM n{node}.t")).collect();
        Ok(self.rows(&all.join(" UNION ALL ")).await)
    }

    async fn copy(&self, sql: &str, stream: &[u8]) -> Result<(), String> {
        let text = |error: tokio_postgres::Error| match error.as_db_error() {
            Some(error) => error.message().to_owned(),
            None => panic!("{error}"),
        };
        let mut sink = pin!(self.client.copy_in::<_, Bytes>(sql).await.map_err(text)?);
        sink.send(Bytes::copy_from_slice(stream)).await.expect("it is only queued");
        sink.finish().await.map_err(text)?;
        Ok(())
    }

    async fn rows(&self, query: &str) -> Vec<String> {
        let sql = format!("SELECT r::text FROM ({query}) r ORDER BY r::text COLLATE \"C\"");
        let rows = self.client.query(&sql, &[]).await.expect("rows");
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The stream of each node, as Herd plans and splits it.
    fn split(&self, options: &str, stream: &[u8]) -> Result<Vec<Vec<u8>>, ClientError> {
        let copy = self.plan(&format!("COPY t FROM STDIN {options}"))?;
        let table = self.catalog.table(copy.table).expect("it was planned");
        let Spread::ByKey(fields) = &copy.spread else { unreachable!() };
        let key = KeyReader::new(table, fields, StreamEncoding::Server);
        let marker = self.server_major < 18;
        let mut splitter =
            RowSplitter::new("t", copy.format.clone(), copy.columns.len(), key, marker);
        let mut streams = vec![Vec::new(); usize::from(NODES)];
        let fragmentation = table.fragmentation().expect("fragmented");
        let mut sink = |piece: Piece<'_>| {
            match piece {
                Piece::ForAll { bytes, .. } => {
                    streams.iter_mut().for_each(|stream| stream.extend_from_slice(bytes));
                }
                Piece::Row(row) => {
                    let fragment = match row.key {
                        RowKey::Known(key) => fragmentation.fragment_for(key),
                        RowKey::Broken => None,
                    };
                    let node = fragment.map_or(1, |fragment| fragment.primary.0);
                    streams[usize::from(node) - 1].extend_from_slice(row.bytes);
                }
            }
            Ok(())
        };
        splitter.push(stream, &mut sink)?;
        splitter.finish(&mut sink)?;
        Ok(streams)
    }

    fn plan(&self, sql: &str) -> Result<CopyIn, ClientError> {
        let search_path = SearchPath::new(["public".to_owned()]);
        let context = Context {
            routines: herd_plan::Routines::none(),
            catalog: &self.catalog,
            search_path: &search_path,
            auto_fragment: None,
            parameter_types: &[],
        };
        match Planner::new(PLAN_CACHE_BYTES).understand(sql.as_bytes(), &context)? {
            Query::One(understood) => match &understood.plan.action {
                Action::CopyIn(copy) => Ok(CopyIn::clone(copy)),
                other => panic!("{sql}: {other:?}"),
            },
            other => panic!("{sql}: {other:?}"),
        }
    }
}

#[derive(Debug)]
enum Failure {
    Herd(ClientError),
    Server(#[expect(dead_code, reason = "shown when a case fails")] String),
}

/// Herd may refuse more than PostgreSQL, but only what it says it does not support.
fn compare(
    whole: Result<Vec<String>, String>,
    split: Result<Vec<String>, Failure>,
) -> Result<(), TestCaseError> {
    match (whole, split) {
        (Ok(whole), Ok(split)) => prop_assert_eq!(split, whole),
        (Ok(_), Err(Failure::Herd(refused)))
            if refused.sqlstate == SqlState::FEATURE_NOT_SUPPORTED
                || refused.message.starts_with("end-of-copy marker is not alone") => {}
        (Err(_), Err(_)) => {}
        (whole, split) => {
            return Err(TestCaseError::fail(format!("PostgreSQL {whole:?}, Herd {split:?}")));
        }
    }
    Ok(())
}

fn catalog(key_type: &str) -> Catalog {
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
    let column = |name: &str, type_name: &str, has_default| Column {
        name: name.into(),
        type_name: type_name.into(),
        generated: false,
        has_default,
    };
    let fragments = (0..FRAGMENTS).map(|remainder| FragmentSpec {
        name: TableName::new("public", format!("t_{remainder}")),
        bound: Bound::Hash { modulus: FRAGMENTS, remainder },
        node: NodeWish::Any,
    });
    let change = Change::AddTable(TableSpec {
        name: TableName::new("public", "t"),
        columns: vec![
            column("v", "text", false),
            column("k", key_type, false),
            column("d", "integer", true),
        ],
        kind: KindSpec::Fragmented {
            method: Method::Hash,
            key: vec!["k".into()],
            fragments: fragments.collect(),
            family: FamilyWish::Alike,
        },
    });
    Catalog::new(NodeId(1), (1..=NODES).map(node)).apply(&change).expect("a valid table")
}

/// COPY options, with what fields look like under them.
#[derive(Clone, Copy, Debug)]
struct Style {
    options: &'static str,
    delimiter: u8,
    /// Fields without a mistake, most of them.
    fields: &'static [&'static str],
    /// Bytes that mean something.
    special: &'static [u8],
}

const STYLES: &[Style] = &[
    Style {
        options: "",
        delimiter: b'\t',
        fields: &["a", "b\\\tb", "\\N", "", "\\x41\\101", "\\\n", "\\\r", "\\\\", "\\q", "\\\\."],
        special: b"\t\\N.",
    },
    Style {
        options: "WITH (DELIMITER '|', NULL 'b', HEADER)",
        delimiter: b'|',
        fields: &["a", "b", "\\b", "\\|", "a\\|b", "\\\n", "\\0601"],
        special: b"|b\\",
    },
    Style {
        options: "DELIMITERS ';' WITH NULL AS '\\a'",
        delimiter: b';',
        fields: &["a", "\\a", "\\N", "\\\\a", "\\;"],
        special: b";\\a",
    },
    Style {
        options: "CSV",
        delimiter: b',',
        fields: &["a", "", "\"\"", "\"a,b\"", "\"a\"\"b\"", "x\"\n\"y", "\"\r\n\"", "\\", "\\."],
        special: b",\"",
    },
    Style {
        options: "WITH (FORMAT csv, HEADER, NULL 'a')",
        delimiter: b',',
        fields: &["a", "\"a\"", "b", "\"b,\nb\"", "\"\"\"\"", "\\N"],
        special: b",\"a",
    },
    Style {
        options: "WITH (FORMAT csv, NULL 'a', FORCE_NULL (k), FORCE_NOT_NULL (v))",
        delimiter: b',',
        fields: &["a", "\"a\"", "b", "\"\"\"a\"", "a\"\""],
        special: b",\"a",
    },
    Style {
        options: "CSV QUOTE '''' ESCAPE '\\' FORCE NOT NULL k, v",
        delimiter: b',',
        fields: &["a", "", "''", "'a,b'", "'\\''", "'\\\\'", "'\\a\n'", "\\", "\\'\n,'"],
        special: b",'\\",
    },
    Style {
        options: "WITH (FORMAT csv, QUOTE 'q', ESCAPE 'e', DELIMITER E'\\t')",
        delimiter: b'\t',
        fields: &["a", "e", "qeqq", "q\tq", "qeeq", "qe\nq", "aq\nqb"],
        special: b"\tqe",
    },
    Style {
        options: "WITH (FORMAT csv, QUOTE '\"', ESCAPE ',', DELIMITER ';')",
        delimiter: b';',
        fields: &["a", ",", "\",,\"", "\",\";\n\"", "\"a,b\"", "\"\""],
        special: b";\",",
    },
    Style {
        options: "WITH (FORMAT csv) WHERE v <> 'a'",
        delimiter: b',',
        fields: &["a", "b", "\"a\"", ""],
        special: b",\"a",
    },
];

fn streams(style: Style) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => prop::sample::select(b"ab1 ".to_vec()),
        3 => prop::sample::select(style.special),
        1 => prop::sample::select(b"\\\".,'\n\rNx01\xc3\xa9".to_vec()),
    ];
    let field = prop_oneof![
        19 => prop::sample::select(style.fields).prop_map(|field| field.as_bytes().to_vec()),
        1 => prop::collection::vec(byte, 0..5),
    ];
    let number = prop::sample::select(vec!["1", "23", " 4", "-5 ", "006", "7"]);
    let ending = prop::sample::select(vec!["\n", "\n", "\n", "\r\n", "\r"]);
    let last = prop::sample::select(vec!["", "", "", "\\.\n", "\\.\nrest", "\\.", "\\.x\n"]);
    let lines = prop::collection::vec((field.clone(), field, number), 0..6);
    (lines, any::<bool>(), ending, any::<bool>(), last).prop_map(
        move |(lines, numeric, ending, open_end, last)| {
            let line = |(value, key, number): &(Vec<u8>, Vec<u8>, &str)| {
                let key = if numeric { number.as_bytes().to_vec() } else { key.clone() };
                [value.clone(), key, b"1".to_vec()].join([style.delimiter].as_slice())
            };
            let mut stream = lines.iter().map(line).collect::<Vec<_>>().join(ending.as_bytes());
            if !open_end {
                stream.extend_from_slice(ending.as_bytes());
                stream.extend_from_slice(last.as_bytes());
            }
            stream
        },
    )
}

fn run(bed: &Bed, cases: u32) {
    let strategy =
        prop::sample::select(STYLES).prop_flat_map(|style| (Just(style.options), streams(style)));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&strategy, |(options, stream)| {
            bed.check(options, &stream).map_err(|error| {
                TestCaseError::fail(format!("{options} {}: {error}", stream.escape_ascii()))
            })
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn split_lines_give_the_same_rows_as_one_table() {
    run(&Bed::new("text"), 1500);
    run(&Bed::new("character varying(2)"), 300);
    run(&Bed::new("bigint"), 600);
}

#[test]
fn split_tuples_give_the_same_rows_as_one_table() {
    let bed = Bed::new("bigint");
    let field = |bytes: &[u8]| [&(bytes.len() as u32).to_be_bytes(), bytes].concat();
    let null = u32::MAX.to_be_bytes().to_vec();
    let mut stream = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x05extra".to_vec();
    for key in -50_i64..50 {
        let key = if key == 0 { null.clone() } else { field(&key.to_be_bytes()) };
        let tuple = [field(b"v\0".split_at(1).0), key, field(&7_i32.to_be_bytes())].concat();
        stream.extend(3_u16.to_be_bytes());
        stream.extend(tuple);
    }
    bed.check("BINARY", &stream).expect("the end may be missing");
    stream.extend(u16::MAX.to_be_bytes());
    bed.check("WITH (FORMAT binary)", &stream).expect("the same rows");
    bed.check("WITH (FORMAT binary)", &stream[..stream.len() - 5]).expect("both refuse");
    stream.push(0);
    bed.check("WITH (FORMAT binary)", &stream).expect("both refuse");
}

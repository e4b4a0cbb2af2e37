//! Keys compare as PostgreSQL sorts the values.

use std::cmp::Ordering;

use herd_merge::{KeyType, Order, SortKey};
use herd_testkit::TempPostgres;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const VALUES: usize = 300;

/// A type, its number, and the function that puts it out in binary.
struct Sorted {
    type_name: &'static str,
    number: u32,
    send: &'static str,
    /// Patterns of values in text.
    patterns: &'static [&'static str],
}

const SORTED: &[Sorted] = &[
    Sorted { type_name: "boolean", number: 16, send: "boolsend", patterns: &["true", "false"] },
    Sorted {
        type_name: "smallint",
        number: 21,
        send: "int2send",
        patterns: &["-?[0-9]{1,4}", "-32768", "32767"],
    },
    Sorted {
        type_name: "integer",
        number: 23,
        send: "int4send",
        patterns: &["-?[0-9]{1,9}", "-2147483648", "0"],
    },
    Sorted {
        type_name: "bigint",
        number: 20,
        send: "int8send",
        patterns: &["-?[0-9]{1,18}", "-9223372036854775808"],
    },
    Sorted {
        type_name: "oid",
        number: 26,
        send: "oidsend",
        patterns: &["[0-3]?[0-9]{1,9}", "4294967295"],
    },
    Sorted {
        type_name: "real",
        number: 700,
        send: "float4send",
        patterns: &["-?[0-9]{1,3}\\.[0-9]{1,3}", "-?0", "NaN", "-?Infinity", "-?[1-9]e-?[12][0-9]"],
    },
    Sorted {
        type_name: "double precision",
        number: 701,
        send: "float8send",
        patterns: &[
            "-?[0-9]{1,3}\\.[0-9]{1,9}",
            "-?0",
            "NaN",
            "-?Infinity",
            "-?[1-9]e-?[1-9][0-9]",
        ],
    },
    Sorted {
        type_name: "numeric",
        number: 1700,
        send: "numeric_send",
        patterns: &[
            "-?[0-9]{1,4}(\\.[0-9]{1,3})?",
            "-?[0-9]{5,30}\\.[0-9]{1,30}",
            "-?0\\.0{0,9}[1-9]0{0,4}",
            "-?[1-9]0{0,12}",
            "-?[1-9]e-?[1-9][0-9]{0,2}",
            "-?0(\\.0{1,4})?",
            "NaN",
            "-?Infinity",
        ],
    },
    Sorted {
        type_name: "date",
        number: 1082,
        send: "date_send",
        patterns: &["[12][0-9]{3}-0[1-9]-[0-2][1-8]", "-?infinity", "4713-01-01 BC"],
    },
    Sorted {
        type_name: "timestamp",
        number: 1114,
        send: "timestamp_send",
        patterns: &[
            "[12][0-9]{3}-0[1-9]-[0-2][1-8] 1[0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?",
            "-?infinity",
        ],
    },
    Sorted {
        type_name: "timestamptz",
        number: 1184,
        send: "timestamptz_send",
        patterns: &["[12][0-9]{3}-0[1-9]-[0-2][1-8] 1[0-9]:[0-5][0-9]:00[+-]0[0-9]", "-?infinity"],
    },
    Sorted {
        type_name: "time",
        number: 1083,
        send: "time_send",
        patterns: &["[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?", "24:00"],
    },
    Sorted {
        type_name: "interval",
        number: 1186,
        send: "interval_send",
        patterns: &[
            "-?[0-9]{1,2} months",
            "-?[0-9]{1,3} days",
            "-?[0-9]{1,4} hours -?[0-9]{1,3} days",
            "1 month",
            "30 days",
            "720 hours",
        ],
    },
    Sorted { type_name: "uuid", number: 2950, send: "uuid_send", patterns: &["[0-9a-f]{32}"] },
    Sorted {
        type_name: "bytea",
        number: 17,
        send: "byteasend",
        patterns: &["\\\\x([0-9a-f]{2}){0,4}"],
    },
];

impl Sorted {
    fn values(&self) -> Vec<String> {
        let mut runner = TestRunner::deterministic();
        let patterns = self.patterns.iter().cycle().take(VALUES);
        let value = |pattern: &&'static str| {
            let tree =
                prop::string::string_regex(pattern).expect("a pattern").new_tree(&mut runner);
            tree.expect("a value").current()
        };
        patterns.map(value).collect()
    }

    /// The values in the server's order: in binary, and which are equal.
    fn in_order(&self, server: &TempPostgres) -> Vec<(String, Option<Vec<u8>>)> {
        let Sorted { type_name, send, .. } = self;
        let values: Vec<String> =
            self.values().iter().map(|value| format!("('{value}')")).collect();
        let answer = server.psql(&format!(
            "SELECT rank() OVER (ORDER BY v), coalesce(encode(pg_catalog.{send}(v), 'hex'), 'null') \
             FROM (SELECT t::{type_name} AS v FROM (VALUES {}, (NULL)) AS t (t)) AS v ORDER BY v",
            values.join(", ")
        ));
        answer
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .map(|(rank, hex)| (rank.to_owned(), (hex != "null").then(|| bytes(hex))))
            .collect()
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn key(value: Option<&[u8]>) -> Vec<u8> {
    match value {
        None => (-1_i32).to_be_bytes().to_vec(),
        Some(value) => {
            let length = i32::try_from(value.len()).expect("short");
            [&length.to_be_bytes(), value].concat()
        }
    }
}

#[test]
fn values_compare_as_the_server_sorts_them() {
    let server = TempPostgres::start(&[]);
    for sorted in SORTED {
        let key_type = KeyType::of(sorted.number).expect("it can be compared");
        let order = Order::new([SortKey { key_type, descending: false, nulls_first: false }]);
        let reversed = Order::new([SortKey { key_type, descending: true, nulls_first: true }]);
        let values = sorted.in_order(&server);
        assert!(values.len() > VALUES, "{}", sorted.type_name);
        for (place, (rank, value)) in values.iter().enumerate() {
            for (other_rank, other) in &values[place..] {
                let expected = if rank == other_rank { Ordering::Equal } else { Ordering::Less };
                let [value, other] = [value, other].map(|value| key(value.as_deref()));
                let what = format!("{} {value:?} {other:?}", sorted.type_name);
                assert_eq!(order.compare(&value, &other), Ok(expected), "{what}");
                assert_eq!(reversed.compare(&value, &other), Ok(expected.reverse()), "{what}");
            }
        }
    }
}

//! What a column with a type modifier makes of a value that is stored in it.

use herd_catalog::{KeyError, KeyType};

use crate::inputs;
use crate::server::{ask, run};

const TYPE_NAMES: [&str; 14] = [
    "character varying(10)",
    "character varying(1)",
    "character(10)",
    "character(1)",
    "numeric(10,2)",
    "numeric(5,0)",
    "numeric(3,5)",
    "numeric(6,-3)",
    "numeric(40,20)",
    "timestamp(3) without time zone",
    "timestamp(0) without time zone",
    "timestamp(6) with time zone",
    "timestamp(1) with time zone",
    "integer",
];

#[test]
fn stored_values_are_the_servers() {
    for (index, type_name) in TYPE_NAMES.into_iter().enumerate() {
        let _ = run(&format!("create table stored_{index} (k {type_name})"));
        let printed = run(&format!(
            "select format_type(atttypid, atttypmod) from pg_attribute
             where attrelid = 'stored_{index}'::regclass and attname = 'k'"
        ));
        assert_eq!(printed.trim_end(), type_name);
        let (key_type, modifier) = KeyType::from_type_name(type_name).expect("it is a key type");

        let inputs = inputs::for_type(key_type);
        let rows: Vec<[&str; 1]> = inputs.iter().map(|text| [text.as_str()]).collect();
        let unmodified = key_type.as_str();
        let query = format!(
            "insert into stored_{index} select $1[1]::{unmodified}
             returning hash_record_extended(row(k), 1) || ' ' || coalesce(k::text, '')"
        );
        for (text, answer) in inputs.iter().zip(ask(&query, &rows)) {
            let Ok(value) = key_type.from_text(text.as_bytes()) else { continue };
            match modifier.store(value) {
                Ok(stored) => {
                    let hash = herd_catalog::hash::extended_hash(&stored, 1).cast_signed();
                    let answered = answer.split(' ').next().unwrap_or_default();
                    assert_eq!(hash.to_string(), answered, "{type_name} {text:?}: {answer}");
                }
                Err(KeyError::Invalid) => assert_eq!(answer, "error", "{type_name} {text:?}"),
                Err(KeyError::Unsure) => panic!("{type_name} {text:?} is unsure"),
            }
        }
    }
}

#[test]
fn other_type_names_are_no_key_types() {
    for name in ["json", "real", "double precision", "interval", "integer[]", "my.domain", "bit(3)"]
    {
        assert_eq!(KeyType::from_type_name(name), None, "{name}");
    }
}

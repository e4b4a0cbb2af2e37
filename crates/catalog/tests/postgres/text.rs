//! Texts are read, hashed and printed as the server does it.

use herd_catalog::hash::{PARTITION_SEED, extended_hash};
use herd_catalog::{KeyError, KeyType};

use crate::inputs::{self, KEY_TYPES};
use crate::server::{ask, run};

const SEEDS: [u64; 4] = [0, 1, PARTITION_SEED, u64::MAX];

#[test]
fn what_is_read_hashes_as_on_the_server() {
    for key_type in KEY_TYPES {
        let inputs = inputs::for_type(key_type);
        let rows: Vec<[&str; 1]> = inputs.iter().map(|text| [text.as_str()]).collect();
        for seed in SEEDS {
            // Of a row with one column, it is what the extended hash function of its type gives.
            let query = format!(
                "select hash_record_extended(row($1[1]::{}), {}::bigint)",
                key_type.as_str(),
                seed.cast_signed(),
            );
            for (text, answer) in inputs.iter().zip(ask(&query, &rows)) {
                match key_type.from_text(text.as_bytes()) {
                    Ok(value) => {
                        let hash = extended_hash(&value, seed).cast_signed().to_string();
                        assert_eq!(hash, answer, "{key_type:?} {text:?} seed {seed}");
                    }
                    Err(KeyError::Invalid) => assert_eq!(answer, "error", "{key_type:?} {text:?}"),
                    Err(KeyError::Unsure) => {}
                }
            }
        }
    }
}

#[test]
fn what_is_printed_means_the_same_on_the_server() {
    for key_type in KEY_TYPES {
        let mut texts = Vec::new();
        for text in inputs::for_type(key_type) {
            if let Ok(value) = key_type.from_text(text.as_bytes()) {
                let printed = key_type.to_text(&value);
                assert_eq!(key_type.from_text(printed.as_bytes()), Ok(value), "{printed:?}");
                texts.push((text, printed));
            }
        }
        let rows: Vec<[&str; 2]> = texts.iter().map(|(text, ours)| [&**text, &**ours]).collect();
        let name = key_type.as_str();
        let answers = ask(&format!("select $1[1]::{name} = $1[2]::{name}"), &rows);
        for ((text, printed), answer) in texts.iter().zip(answers) {
            assert_eq!(answer, "true", "{key_type:?} {text:?} printed as {printed:?}");
        }
    }
}

#[test]
fn values_are_ordered_as_on_the_server() {
    for key_type in KEY_TYPES {
        let mut values: Vec<_> = inputs::for_type(key_type)
            .iter()
            .filter_map(|text| key_type.from_text(text.as_bytes()).ok())
            .collect();
        values.sort();
        values.dedup();
        let texts: Vec<String> = values.iter().map(|value| key_type.to_text(value)).collect();
        let rows: Vec<[&str; 2]> = texts.windows(2).map(|pair| [&*pair[0], &*pair[1]]).collect();
        let name = key_type.as_str();
        let answers = ask(&format!("select $1[1]::{name} < $1[2]::{name}"), &rows);
        for (pair, answer) in rows.iter().zip(answers) {
            assert_eq!(answer, "true", "{key_type:?} {pair:?}");
        }
    }
}

#[test]
fn usual_spellings_are_never_unsure() {
    let mut rng = inputs::random();
    for key_type in KEY_TYPES {
        for _ in 0..500 {
            let text = inputs::sample(key_type, &mut rng);
            let result = key_type.from_text(text.as_bytes());
            assert_ne!(result, Err(KeyError::Unsure), "{key_type:?} {text:?}");
        }
    }
}

#[test]
fn oids_and_type_names_are_the_servers() {
    for key_type in KEY_TYPES {
        let name = key_type.as_str();
        let answer = run(&format!("select '{name}'::regtype::oid"));
        assert_eq!(answer.trim(), key_type.oid().to_string());
        assert_eq!(KeyType::from_oid(key_type.oid()), Some(key_type));
    }
}

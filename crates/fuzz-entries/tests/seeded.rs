//! Runs every entry on mutated samples: HERD_FUZZ_SECONDS in all, from HERD_FUZZ_SEED.
//!
//! Without a seed one is drawn, and printed with whatever it finds.

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use herd_fuzz_entries::{ENTRIES, Entry};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

const SECONDS_DEFAULT: f64 = 5.0;
const INPUT_BYTES_MAX: usize = 4_096;
const MUTATIONS_MAX: usize = 8;
/// Inputs that are mutated further, for each entry.
const POOL_MAX: usize = 256;
/// No decoder may need longer for an input of `INPUT_BYTES_MAX`.
const SECONDS_PER_INPUT_MAX: u64 = 5;

/// What bounds and special cases are made of.
const INTERESTING: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\0\0\0\0",
    b"\0\0\0\x04",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x3f\xff\xff\xff",
    b"\0\x01",
    b"'",
    b"\"",
    b"$$",
    b"\\",
    b"--",
    b"/*",
    b"*/",
    b";",
    b",",
    b"=",
    b"\n",
    b"\r\n",
    b"\t",
    b"\\.\n",
    b"(",
    b")",
    b"\xc3\xa9",
    b"\xf0\x9f",
];

#[test]
fn each_entry_has_a_target() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/targets");
    for entry in ENTRIES {
        assert!(targets.join(format!("{}.rs", entry.name)).exists(), "{}", entry.name);
    }
}

#[test]
fn no_input_makes_a_decoder_panic() {
    let seconds = number("HERD_FUZZ_SECONDS").unwrap_or(SECONDS_DEFAULT);
    let seed = number("HERD_FUZZ_SEED").unwrap_or_else(|| rand::rng().random());
    let share = Duration::from_secs_f64(seconds / ENTRIES.len() as f64);
    for entry in ENTRIES {
        let runs = fuzz(entry, seed, share);
        println!("{}: {runs} inputs from seed {seed}", entry.name);
    }
}

fn number<T: std::str::FromStr>(variable: &str) -> Option<T> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not {text}")))
}

/// Runs an entry for its share of the time; how many inputs it took.
fn fuzz(entry: &Entry, seed: u64, share: Duration) -> usize {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut pool = samples(entry);
    for sample in &pool {
        run(entry, sample, seed);
    }
    let end = Instant::now() + share;
    let samples = pool.len();
    let mut runs = samples;
    while Instant::now() < end {
        let mut input = pool.choose(&mut rng).expect("there are samples").clone();
        for _ in 0..rng.random_range(1..=MUTATIONS_MAX) {
            mutate(&mut input, &pool, &mut rng);
        }
        input.truncate(INPUT_BYTES_MAX);
        run(entry, &input, seed);
        runs += 1;
        if pool.len() < POOL_MAX {
            pool.push(input);
        } else if rng.random_ratio(1, 16) {
            // The samples themselves stay.
            let replaced = rng.random_range(samples..POOL_MAX);
            pool[replaced] = input;
        }
    }
    runs
}

/// In the order of their names, so that a seed always means the same.
fn samples(entry: &Entry) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(entry.name);
    let files = fs::read_dir(directory).expect("each entry has samples");
    let mut paths: Vec<_> = files.map(|file| file.expect("it can be listed").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("it can be read")).collect()
}

fn run(entry: &Entry, input: &[u8], seed: u64) {
    let started = Instant::now();
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (entry.run)(input))) {
        eprintln!("{} panicked, seed {seed}, on b\"{}\"", entry.name, input.escape_ascii());
        resume_unwind(panic);
    }
    let seconds = started.elapsed().as_secs();
    assert!(
        seconds < SECONDS_PER_INPUT_MAX,
        "{} took {seconds} s, seed {seed}, on b\"{}\"",
        entry.name,
        input.escape_ascii()
    );
}

fn mutate(input: &mut Vec<u8>, pool: &[Vec<u8>], rng: &mut StdRng) {
    let at = rng.random_range(0..=input.len());
    let to = rng.random_range(at..=input.len());
    match rng.random_range(0..8) {
        0 => drop(input.drain(at..to)),
        1 => {
            let piece = INTERESTING.choose(rng).expect("not empty");
            input.splice(at..at, piece.iter().copied());
        }
        2 => {
            let piece = INTERESTING.choose(rng).expect("not empty");
            let end = (at + piece.len()).min(input.len());
            input.splice(at..end, piece.iter().copied());
        }
        3 => {
            let other = pool.choose(rng).expect("not empty");
            let from = rng.random_range(0..=other.len());
            input.splice(at..to, other[from..].iter().copied());
        }
        4 => {
            let again = input[at..to].to_vec();
            let again = again.repeat(rng.random_range(1..=8));
            input.splice(to..to, again);
        }
        5 => input.insert(at, rng.random()),
        6 if at < input.len() => input[at] ^= 1 << rng.random_range(0..8),
        _ if at < input.len() => input[at] = rng.random(),
        _ => input.push(rng.random()),
    }
    input.truncate(INPUT_BYTES_MAX);
}

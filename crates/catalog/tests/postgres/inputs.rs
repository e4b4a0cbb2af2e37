//! Texts to be read as key values: every edge that comes to mind, and thousands at random.

use herd_catalog::KeyType;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::edges;

pub const KEY_TYPES: [KeyType; 13] = [
    KeyType::Bool,
    KeyType::Int2,
    KeyType::Int4,
    KeyType::Int8,
    KeyType::Text,
    KeyType::Varchar,
    KeyType::Bpchar,
    KeyType::Uuid,
    KeyType::Date,
    KeyType::Timestamp,
    KeyType::Timestamptz,
    KeyType::Numeric,
    KeyType::Bytea,
];

const RANDOM_INPUTS: usize = 2_000;

/// The same in every run.
pub fn random() -> StdRng {
    StdRng::seed_from_u64(0x4845_5244)
}

/// Texts that a server accepts, and texts that it rejects.
pub fn for_type(key_type: KeyType) -> Vec<String> {
    let mut rng = random();
    let mut inputs: Vec<String> = edges::of(key_type).iter().map(|&text| text.to_owned()).collect();
    for _ in 0..RANDOM_INPUTS {
        let good = sample(key_type, &mut rng);
        if rng.random_ratio(1, 4) {
            inputs.push(damage(&good, &mut rng));
        }
        inputs.push(good);
    }
    inputs
}

/// A text that a server accepts.
pub fn sample(key_type: KeyType, rng: &mut StdRng) -> String {
    match key_type {
        KeyType::Bool => ["t", "f", "true", "no", " on ", "0"][rng.random_range(0..6)].to_owned(),
        KeyType::Int2 => rng.random::<i16>().to_string(),
        KeyType::Int4 => rng.random::<i32>().to_string(),
        KeyType::Int8 => (rng.random::<i64>() >> rng.random_range(0..64)).to_string(),
        KeyType::Text | KeyType::Varchar | KeyType::Bpchar => words(rng),
        KeyType::Uuid => uuid(rng),
        KeyType::Date => date(rng),
        KeyType::Timestamp => timestamp(rng),
        KeyType::Timestamptz => format!("{}{}", timestamp(rng), offset(rng)),
        KeyType::Numeric => number(rng),
        KeyType::Bytea => bytes(rng),
    }
}

fn words(rng: &mut StdRng) -> String {
    let length = rng.random_range(0..40);
    let mut text: String = (0..length)
        .map(|_| ['a', 'Z', '0', ' ', '-', '\'', '\\', 'é', '漢', '🐘'][rng.random_range(0..10)])
        .collect();
    if rng.random_ratio(1, 3) {
        text.push_str("  ");
    }
    text
}

fn uuid(rng: &mut StdRng) -> String {
    let hex = format!("{:032x}", rng.random::<u128>());
    let (a, b, c, d, e) = (&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    match rng.random_range(0..4) {
        0 => hex.to_uppercase(),
        1 => format!("{{{a}-{b}-{c}-{d}-{e}}}"),
        2 => format!("{a}{b}-{c}{d}-{e}"),
        _ => format!("{a}-{b}-{c}-{d}-{e}"),
    }
}

fn date(rng: &mut StdRng) -> String {
    let year = match rng.random_range(0..4) {
        0 => rng.random_range(1..4714),
        1 => rng.random_range(1..294_277),
        _ => rng.random_range(1900..2100),
    };
    let (month, day) = (rng.random_range(1..13), rng.random_range(1..29));
    let era = if year < 4713 && rng.random_ratio(1, 8) { " BC" } else { "" };
    format!("{year:04}-{month:02}-{day:02}{era}")
}

fn timestamp(rng: &mut StdRng) -> String {
    let date = date(rng);
    let date = date.trim_end_matches(" BC");
    let separator = if rng.random() { ' ' } else { 'T' };
    let (hour, minute) = (rng.random_range(0..24), rng.random_range(0..60));
    let mut text = format!("{date}{separator}{hour:02}:{minute:02}");
    if rng.random_ratio(7, 8) {
        text.push_str(&format!(":{:02}", rng.random_range(0..61)));
        if rng.random() {
            let digits = rng.random_range(1..10);
            let fraction = format!("{:010}", rng.random_range(0..10_000_000_000_u64));
            text.push_str(&format!(".{}", &fraction[..digits]));
        }
    }
    text
}

fn offset(rng: &mut StdRng) -> String {
    let sign = if rng.random() { '+' } else { '-' };
    let (hours, minutes) = (rng.random_range(0..17), rng.random_range(0..60));
    match rng.random_range(0..4) {
        0 => "Z".to_owned(),
        1 => format!("{sign}{hours:02}"),
        2 => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{:02}", rng.random_range(0..60)),
    }
}

fn number(rng: &mut StdRng) -> String {
    let digits = |rng: &mut StdRng, max: usize| -> String {
        let length = rng.random_range(0..=max);
        let zeros = rng.random_range(0..3) == 0;
        (0..length)
            .map(|_| if zeros { '0' } else { char::from(b'0' + rng.random_range(0..10)) })
            .collect()
    };
    let sign = ["", "-", "+"][rng.random_range(0..3)];
    let (whole, fraction) = (digits(rng, 25), digits(rng, 25));
    let whole = if whole.is_empty() && fraction.is_empty() { "0".to_owned() } else { whole };
    let exponent = match rng.random_range(0..4) {
        0 => format!("e{}", rng.random_range(-40..40)),
        1 => format!("E+{}", rng.random_range(0..20)),
        _ => String::new(),
    };
    format!("{sign}{whole}.{fraction}{exponent}")
}

fn bytes(rng: &mut StdRng) -> String {
    let length = rng.random_range(0..30);
    let mut text = String::from(if rng.random() { "\\x" } else { "" });
    let is_hex = !text.is_empty();
    for _ in 0..length {
        let byte = rng.random::<u8>();
        match byte {
            _ if is_hex => text.push_str(&format!("{byte:02X}")),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    text
}

/// One character removed, doubled or replaced.
fn damage(text: &str, rng: &mut StdRng) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let other = ['0', '9', '-', '+', ':', '.', ' ', 'x', 'e', '_', '{', '\\', 'T', '\u{a0}']
        [rng.random_range(0..14)];
    let at = rng.random_range(0..=chars.len());
    match rng.random_range(0..3) {
        0 => chars.insert(at, other),
        1 if at < chars.len() => chars[at] = other,
        _ if at < chars.len() => {
            chars.remove(at);
        }
        _ => chars.push(other),
    }
    chars.into_iter().collect()
}

//! Texts to be read as key values: every edge that comes to mind, and thousands at random.

use herd_catalog::KeyType;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

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
    let mut inputs: Vec<String> = edges(key_type).iter().map(|&text| text.to_owned()).collect();
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

#[rustfmt::skip]
fn edges(key_type: KeyType) -> &'static [&'static str] {
    match key_type {
        KeyType::Bool => &[
            "t", "T", "tr", "tru", "true", "TRUE", "truex", "y", "ye", "yes", "yess", "on", "o",
            "ON", "1", "11", "01", "f", "fa", "false", "n", "no", "nope", "of", "off", "offf", "0",
            "", " ", " t ", "\tfalse\n", "null", "t\u{a0}",
        ],
        KeyType::Int2 => &[
            "0", "-0", "+7", "32767", "32768", "-32768", "-32769", " 12 ", "\n12\t\u{b}\u{c}\r",
            "1 2", "", "-", "+", "- 1", "+-1", "1.0", "1e2", "0x1F", "0o17", "0b11", "1_000", "_1",
            "1_", "007", "00000000000000000000000012", "99999999999999999999", "١",
        ],
        KeyType::Int4 => &[
            "2147483647", "2147483648", "-2147483648", "-2147483649", "0", " -5", "0xFFFFFFFF",
        ],
        KeyType::Int8 => &[
            "9223372036854775807", "9223372036854775808", "-9223372036854775808",
            "-9223372036854775809", "4294967296", "-4294967296", "-4294967297", "999999999999999999",
            "1000000000000000000", "-1", "0", "\u{a0}1", "12a", "0x", "0_1",
        ],
        KeyType::Text | KeyType::Varchar | KeyType::Bpchar => &[
            "", " ", "   ", "a", "a ", " a", "abcdefghijk", "abcdefghijkl", "abcdefghijklm",
            "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", "é", "é ", "漢字", "NULL", "\\N",
            "a\tb", "a\t", "it's", "12345678901 ", "🐘🐘🐘🐘🐘🐘🐘",
        ],
        KeyType::Uuid => &[
            "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11", "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111", " a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "a0eebc99--9c0b-4ef8-bb6d-6bb9bd380a11", "-a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11-", "a0-eebc999c0b4ef8bb6d6bb9bd380a11", "", "{}",
            "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        ],
        KeyType::Date => &[
            "2000-01-01", "1999-12-31", "1970-01-01", "0001-01-01", "0001-12-31 BC", "4713-01-01 BC",
            "4714-11-24 BC", "4714-11-23 BC", "4713-02-29 BC", "0001-02-29 BC", "0005-02-29 bc",
            "5874897-12-31", "5874898-01-01", "9999-12-31", "10000-01-01", "infinity", "-infinity",
            "Infinity", "+infinity", " 2020-02-29 ", "2019-02-29", "2000-02-29", "1900-02-29",
            "2020-13-01", "2020-00-01", "2020-01-00", "2020-01-32", "2020-04-31", "0000-01-01",
            "2020-1-1", "20200101", "01/02/2020", "today", "epoch", "2020-01-01 10:00", "J2451187",
            "2020-01-01BC", "January 8, 1999", "", "2020", "99-01-01", "12345-06-07", "00020-01-01",
            "2020-01-01T", "2020-01-01 ", "inf",
        ],
        KeyType::Timestamp => &[
            "2000-01-01 00:00:00", "1999-12-31 23:59:59.999999", "infinity", "-infinity", "now",
            "2020-01-01", "2020-01-01 24:00:00", "2020-01-01 24:00:01", "2020-01-01 24:00:00.5",
            "2020-01-01 23:59:60", "2020-01-01 23:59:60.5", "2020-01-01 23:59:61", "2020-01-01 23:60",
            "2020-01-01 25:00", "2020-01-01 10:00:00+05", "2020-01-01 10:00:00 +05",
            "2020-01-01 10:00:00Z", "2020-01-01T10:00:00z", "2020-01-01 10:00:00 PST",
            "2020-01-01 10:00:00.0000005", "2020-01-01 10:00:00.0000015", "2020-01-01 10:00:00.9999999",
            "1999-12-31 23:59:59.9999995", "2020-01-01 10:00:00.", "2020-01-01 10", "2020-01-01 1:2:3",
            "4714-11-24 00:00:00 BC", "4714-11-23 23:59:59 BC", "294276-12-31 23:59:59.999999",
            "294277-01-01 00:00:00", "5874897-01-01 00:00:00", "0001-01-01 10:00:00 BC",
            "2020-01-01 10:00:00+16", "2020-01-01 10:00:00+15:59:59", "2020-01-01 10:00:00+05:60",
            "2020-01-01  10:00:00", " 2020-01-01 10:00:00 ", "2020-01-01 10:00:00 AM", "epoch",
            "2020-01-01 10:00:00.123456789012345678901234567890", "2020-01-01 10:00:00+05 BC",
        ],
        KeyType::Timestamptz => &[
            "2000-01-01 00:00:00+00", "2000-01-01 00:00:00Z", "2000-01-01 00:00:00z", "2000-01-01",
            "2000-01-01 00:00:00", "2000-01-01 05:30:00+05:30", "1999-12-31 23:59:59.999999-15:59:59",
            "2020-01-01 10:00:00+16", "2020-01-01 10:00:00+0530", "2020-01-01 10:00:00+053015",
            "2020-01-01 10:00:00+5", "2020-01-01 10:00:00 +05", "2020-01-01 10:00:00 UTC",
            "2020-01-01 10:00:00 America/New_York", "infinity", "-infinity", "2020-01-01 10+00",
            "4714-11-24 00:00:00+00 BC", "4714-11-23 23:00:00-01 BC", "4714-11-24 00:00:00+01 BC",
            "294276-12-31 23:59:59.999999+00", "294277-01-01 00:00:00+01", "294276-12-31 23:59:59-01",
            "2020-01-01+00", "2020-01-01 10:00+00", "2020-01-01 24:00:00+00", "2020-06-01 10:00:00-00",
            "2020-01-01 10:00:00+05:30:15", "2020-01-01 10:00:00+05:", "2020-01-01 10:00:00+05:61",
        ],
        KeyType::Numeric => &[
            "0", "-0", "0.0", "1", "1.0", "1.00000", "-1", "10000", "9999", "99990000", "1e4", "1e-4",
            "0.0001", "0.00001", "123456789.123456789", "1e10", "1E-10", "NaN", "nan", "-NaN", "+nan",
            "Infinity", "-Infinity", "inf", "+inf", "-INF", "infinit", " 12.5 ", "\t1\n", "1 2", ".5",
            "5.", ".", "", "-", "-.", "e5", "1e", "1e+", "1e5.5", "1..2", "1.2.3", "0x10", "1_0",
            "1e999999999999", "1e-999999999999", "1e5000", "1e-5000", "1e16382", "1e-16384",
            "99999999999999999999999999999999999999999999999999", "--1", "+-1", "1e 5", "1 e5",
            "0e0", "000000000000000000000001", "0.000000000000000000000000000001", "12a", "NaN1",
            "0e-20000", "0e20000", "0_1",
        ],
        KeyType::Bytea => &[
            "", "\\x", "\\x00", "\\xDEADbeef", "\\xdead beef", "\\x de ad\n", "\\xd e", "\\xd", "\\xzz",
            "\\X00", "abc", "\\\\", "\\", "\\001", "\\377", "\\400", "\\08", "\\1", "a\\\\b", "\\x ",
            "\\x00 0", "é", "x41", "'",
        ],
    }
}

//! What all tables of the sample share: chance that is the same on every run, dates, and COPY text.

use std::fmt::Write as _;

pub const USERS: u64 = 10_000;
pub const ARTICLES: u64 = 10_000;
pub const READS: u64 = 200_000;

/// Reads are spread over these days from `FIRST_DAY` on.
pub const DAYS: u64 = 91;

/// Monday 1 January 2024, in days since 1970.
pub const FIRST_DAY: u64 = 19_723;

pub const SECONDS_PER_DAY: u64 = 86_400;

/// Keeps the columns of one row, and the rows of two tables, from resembling each other.
#[derive(Clone, Copy)]
pub enum Column {
    UserJoined = 1,
    UserGender,
    UserRegion,
    UserDept,
    UserGrade,
    UserLanguage,
    UserRole,
    UserTags,
    UserCredits,
    UserName,
    UserSurname,
    ArticleWritten,
    ArticleCategory,
    ArticleTags,
    ArticleAuthor,
    ArticleLanguage,
    ArticleWords,
    ReadUser,
    ReadArticle,
    ReadTime,
    ReadLength,
    ReadAgree,
    ReadComment,
    ReadShare,
}

/// SplitMix64 over the place: no state, so any row can be made by itself.
pub fn chance(column: Column, row: u64) -> u64 {
    let mut z = (column as u64)
        .wrapping_mul(0xA24B_AED4_963E_E407)
        .wrapping_add(row.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

pub fn pick<T: Copy>(of: &[T], column: Column, row: u64) -> T {
    of[usize::try_from(chance(column, row) % of.len() as u64).expect("less than a length")]
}

/// `percent` of all rows.
pub fn happens(percent: u64, column: Column, row: u64) -> bool {
    chance(column, row) % 100 < percent
}

/// As PostgreSQL reads a `timestamptz`.
pub fn timestamp(seconds: u64) -> String {
    let second = seconds % SECONDS_PER_DAY;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{} {hour:02}:{minute:02}:{second:02}+00", date(seconds / SECONDS_PER_DAY))
}

/// The Gregorian date of a day since 1970.
pub fn date(day: u64) -> String {
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Eras of 400 years from 1 March of year 0.
pub fn civil(day: u64) -> (u64, u64, u64) {
    let z = day + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day_of_month)
}

/// One row in COPY's text format. The sample's values need no escaping.
pub fn row(out: &mut String, fields: &[&str]) {
    debug_assert!(fields.iter().all(|field| !field.contains(['\t', '\n'])));
    out.push_str(&fields.join("\t"));
    out.push('\n');
}

/// An array as PostgreSQL reads it.
pub fn array(items: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    let mut text = String::from("{");
    for (index, item) in items.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(text, "{comma}{item}").expect("a String takes all text");
    }
    text.push('}');
    text
}

pub fn boolean(value: bool) -> &'static str {
    if value { "t" } else { "f" }
}

//! Articles and their categories.

use super::people::TAGS;
use super::rows::{
    Column, FIRST_DAY, SECONDS_PER_DAY, array, chance, happens, pick, row, timestamp,
};

pub const CATEGORIES: [(&str, &str); 2] =
    [("science", "What we found out"), ("technology", "What we made of it")];
const SCIENCE_PERCENT: u64 = 45;
const WRITTEN_OVER_DAYS: u64 = 180;
const AUTHORS: u64 = 500;
const ABSTRACT_WORDS: u64 = 12;
const TEXT_WORDS: u64 = 80;
const WORDS: [&str; 24] = [
    "a", "the", "new", "old", "small", "model", "signal", "river", "network", "field", "method",
    "shows", "finds", "explains", "measures", "builds", "how", "why", "when", "of", "in", "with",
    "light", "data",
];

pub fn category(out: &mut String, index: usize) {
    let (name, title) = CATEGORIES[index];
    row(out, &[name, title]);
}

pub fn article(out: &mut String, aid: u64) {
    let written = chance(Column::ArticleWritten, aid) % (WRITTEN_OVER_DAYS * SECONDS_PER_DAY);
    let first_written = (FIRST_DAY - WRITTEN_OVER_DAYS) * SECONDS_PER_DAY;
    let science = happens(SCIENCE_PERCENT, Column::ArticleCategory, aid);
    let tags = chance(Column::ArticleTags, aid);
    let tags = (0..2).map(|n| TAGS[usize::from((tags >> (8 * n)) as u8) % TAGS.len()]);
    row(
        out,
        &[
            &aid.to_string(),
            &timestamp(first_written + written),
            &aid.to_string(),
            &format!("title{aid}"),
            CATEGORIES[usize::from(!science)].0,
            &words(aid, 0, ABSTRACT_WORDS),
            &array(tags),
            &format!("author{}", chance(Column::ArticleAuthor, aid) % AUTHORS),
            pick(&["en", "zh"], Column::ArticleLanguage, aid),
            &words(aid, ABSTRACT_WORDS, TEXT_WORDS),
        ],
    );
}

fn words(aid: u64, from: u64, count: u64) -> String {
    let place = |n: u64| aid * (ABSTRACT_WORDS + TEXT_WORDS) + from + n;
    let words: Vec<&str> =
        (0..count).map(|n| pick(&WORDS, Column::ArticleWords, place(n))).collect();
    words.join(" ")
}

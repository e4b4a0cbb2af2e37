//! Reads, and what follows from them: who read each article, and which were read most.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use super::people::region;
use super::rows::{
    ARTICLES, Column, DAYS, FIRST_DAY, READS, SECONDS_PER_DAY, USERS, array, boolean, chance,
    civil, date, happens, row, timestamp,
};

const READ_SECONDS_MAX: u64 = 600;
const AGREE_PERCENT: u64 = 30;
const COMMENT_PERCENT: u64 = 20;
const SHARE_PERCENT: u64 = 10;
const POPULAR: usize = 5;
const DAYS_PER_WEEK: u64 = 7;

struct Read {
    uid: u64,
    aid: u64,
    seconds: u64,
    agrees: bool,
    comments: bool,
    shares: bool,
}

impl Read {
    fn of(id: u64) -> Read {
        Read {
            uid: chance(Column::ReadUser, id) % USERS,
            aid: favoured(chance(Column::ReadArticle, id)),
            seconds: FIRST_DAY * SECONDS_PER_DAY
                + chance(Column::ReadTime, id) % (DAYS * SECONDS_PER_DAY),
            agrees: happens(AGREE_PERCENT, Column::ReadAgree, id),
            comments: happens(COMMENT_PERCENT, Column::ReadComment, id),
            shares: happens(SHARE_PERCENT, Column::ReadShare, id),
        }
    }
}

/// The smaller of two even chances: articles with a low number are read more.
fn favoured(chance: u64) -> u64 {
    (chance % ARTICLES).min((chance >> 32) % ARTICLES)
}

pub fn read(out: &mut String, id: u64) {
    let read = Read::of(id);
    let comment = format!("comment {id} of user {}", read.uid);
    row(
        out,
        &[
            &id.to_string(),
            &timestamp(read.seconds),
            &read.uid.to_string(),
            &read.aid.to_string(),
            &(1 + chance(Column::ReadLength, id) % READ_SECONDS_MAX).to_string(),
            boolean(read.agrees),
            boolean(read.comments),
            boolean(read.shares),
            if read.comments { &comment } else { "\\N" },
            region(read.uid),
        ],
    );
}

/// All readers of one article, in the order of their reads.
#[derive(Default)]
pub struct Readers {
    all: Vec<u64>,
    commented: Vec<u64>,
    agreed: Vec<u64>,
    shared: Vec<u64>,
    last_seconds: u64,
}

/// By article; those that nobody read have no row.
pub fn be_read() -> BTreeMap<u64, Readers> {
    let mut articles: BTreeMap<u64, Readers> = BTreeMap::new();
    for read in (0..READS).map(Read::of) {
        let readers = articles.entry(read.aid).or_default();
        readers.all.push(read.uid);
        readers.commented.extend(read.comments.then_some(read.uid));
        readers.agreed.extend(read.agrees.then_some(read.uid));
        readers.shared.extend(read.shares.then_some(read.uid));
        readers.last_seconds = readers.last_seconds.max(read.seconds);
    }
    articles
}

pub fn be_read_row(out: &mut String, aid: u64, readers: &Readers) {
    let count = |uids: &[u64]| uids.len().to_string();
    row(
        out,
        &[
            &aid.to_string(),
            &timestamp(readers.last_seconds),
            &aid.to_string(),
            &count(&readers.all),
            &array(&readers.all),
            &count(&readers.commented),
            &array(&readers.commented),
            &count(&readers.agreed),
            &array(&readers.agreed),
            &count(&readers.shared),
            &array(&readers.shared),
        ],
    );
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Granularity {
    Daily,
    Weekly,
    Monthly,
}

impl Granularity {
    fn name(self) -> &'static str {
        match self {
            Granularity::Daily => "daily",
            Granularity::Weekly => "weekly",
            Granularity::Monthly => "monthly",
        }
    }

    /// The first day of the period that `day` is in.
    fn first_day(self, day: u64) -> u64 {
        match self {
            Granularity::Daily => day,
            Granularity::Weekly => day - (day - FIRST_DAY) % DAYS_PER_WEEK,
            Granularity::Monthly => day + 1 - civil(day).2,
        }
    }
}

/// The articles read most in each period, the most read first.
pub fn popular_rank() -> BTreeMap<(Granularity, u64), Vec<u64>> {
    let mut counts: BTreeMap<(Granularity, u64), HashMap<u64, u64>> = BTreeMap::new();
    for read in (0..READS).map(Read::of) {
        let day = read.seconds / SECONDS_PER_DAY;
        for granularity in [Granularity::Daily, Granularity::Weekly, Granularity::Monthly] {
            let period = (granularity, granularity.first_day(day));
            *counts.entry(period).or_default().entry(read.aid).or_default() += 1;
        }
    }
    let rank = |articles: HashMap<u64, u64>| {
        let mut articles: Vec<(u64, u64)> = articles.into_iter().collect();
        articles.sort_unstable_by_key(|(aid, count)| (Reverse(*count), *aid));
        articles.into_iter().take(POPULAR).map(|(aid, _)| aid).collect()
    };
    counts.into_iter().map(|(period, articles)| (period, rank(articles))).collect()
}

pub fn popular_rank_row(out: &mut String, id: usize, period: (Granularity, u64), aids: &[u64]) {
    row(out, &[&id.to_string(), &date(period.1), period.0.name(), &array(aids)]);
}

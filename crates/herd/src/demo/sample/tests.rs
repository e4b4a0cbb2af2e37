//! The sample stays what it is: the same rows on every machine and in every release.

use super::rows::{ARTICLES, DAYS, FIRST_DAY, READS, USERS, date, timestamp};
use super::{people, reading, writing};

fn one(write: impl Fn(&mut String, u64), row: u64) -> String {
    let mut text = String::new();
    write(&mut text, row);
    text
}

#[test]
fn rows_are_the_same_everywhere() {
    assert_eq!(
        one(people::user, 42),
        "42\t2023-04-19 21:31:27+00\t42\tAda Novak\tfemale\tuser42@news.example\t+00 00000042\tdept2\t\
 grade1\tfr\tamerica\trole0\t{oceans,space,history}\t0\n"
    );
    assert_eq!(
        one(reading::read, 42),
        "42\t2024-02-02 07:48:22+00\t805\t2611\t448\tt\tf\tf\t\\N\tasia\n"
    );
    assert!(one(writing::article, 42).starts_with("42\t"));
}

#[test]
fn rows_have_the_columns_of_the_schema() {
    let columns = |write: fn(&mut String, u64), count: u64, expected: usize| {
        for row in 0..count {
            let text = one(write, row);
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            assert_eq!(text.split('\t').count(), expected, "{text}");
        }
    };
    columns(people::user, USERS, 14);
    columns(writing::article, 500, 10);
    columns(reading::read, 500, 10);
}

#[test]
fn dates_are_gregorian() {
    assert_eq!(date(0), "1970-01-01");
    assert_eq!(date(FIRST_DAY), "2024-01-01");
    assert_eq!(date(FIRST_DAY + 59), "2024-02-29");
    assert_eq!(date(FIRST_DAY + 60), "2024-03-01");
    assert_eq!(timestamp(951_868_799), "2000-02-29 23:59:59+00");
}

#[test]
fn what_follows_from_reads_covers_them_all() {
    let be_read = reading::be_read();
    assert!(be_read.len() > 9_000 && be_read.keys().all(|aid| *aid < ARTICLES));
    let popular = reading::popular_rank();
    let weeks = DAYS / 7;
    assert_eq!(popular.len() as u64, DAYS + weeks + 3);
    assert!(popular.values().all(|aids| aids.len() == 5));
    assert_eq!(READS, 200_000);
}

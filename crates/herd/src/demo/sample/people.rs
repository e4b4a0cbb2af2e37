//! Users.

use super::rows::{Column, FIRST_DAY, SECONDS_PER_DAY, array, chance, pick, row, timestamp};

const NAMES: [&str; 16] = [
    "Ada", "Bao", "Chen", "Dora", "Emil", "Fatima", "Goro", "Hana", "Ines", "Jon", "Kofi", "Lin",
    "Mara", "Noor", "Omar", "Pia",
];
const SURNAMES: [&str; 16] = [
    "Abe", "Berg", "Costa", "Diaz", "Evans", "Fischer", "Garcia", "Huang", "Ito", "Jansen", "Kim",
    "Lopez", "Moreau", "Novak", "Okafor", "Patel",
];
const DEPARTMENTS: u64 = 20;
const GRADES: u64 = 4;
const JOINED_OVER_DAYS: u64 = 365;
pub const TAGS: [&str; 10] = [
    "climate", "health", "space", "energy", "robots", "cities", "oceans", "history", "food",
    "music",
];

/// Asia half of all, Europe three tenths, America the rest.
pub fn region(uid: u64) -> &'static str {
    match chance(Column::UserRegion, uid) % 10 {
        0..=4 => "asia",
        5..=7 => "europe",
        _ => "america",
    }
}

pub fn user(out: &mut String, uid: u64) {
    let joined = chance(Column::UserJoined, uid) % (JOINED_OVER_DAYS * SECONDS_PER_DAY);
    let first_joined = (FIRST_DAY - JOINED_OVER_DAYS) * SECONDS_PER_DAY;
    let name = format!(
        "{} {}",
        pick(&NAMES, Column::UserName, uid),
        pick(&SURNAMES, Column::UserSurname, uid)
    );
    let tags = chance(Column::UserTags, uid);
    let tags = (0..3).map(|n| TAGS[usize::from((tags >> (8 * n)) as u8) % TAGS.len()]);
    row(
        out,
        &[
            &uid.to_string(),
            &timestamp(first_joined + joined),
            &uid.to_string(),
            &name,
            pick(&["female", "male", "other"], Column::UserGender, uid),
            &format!("user{uid}@news.example"),
            &format!("+00 {uid:08}"),
            &format!("dept{}", chance(Column::UserDept, uid) % DEPARTMENTS),
            &format!("grade{}", 1 + chance(Column::UserGrade, uid) % GRADES),
            pick(&["en", "zh", "fr"], Column::UserLanguage, uid),
            region(uid),
            &format!("role{}", chance(Column::UserRole, uid) % 3),
            &array(tags),
            &(chance(Column::UserCredits, uid) % 100).to_string(),
        ],
    );
}

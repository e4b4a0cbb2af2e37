//! What a client has set in its session, as statements that restore it on any connection.

use std::collections::{BTreeMap, BTreeSet};

use ahash::RandomState;

/// One setting, by the way in which it was made.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Setting {
    /// A SET statement, as the client wrote it.
    Statement(Vec<u8>),
    /// The same, where Herd itself must know the value.
    Said { statement: Vec<u8>, value: String },
    /// A value as `set_config` takes it: from the startup packet, or asked of the server.
    Value(String),
}

/// A session's settings. Names are lower case; `role` and `session_authorization` are among them.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    entries: BTreeMap<String, Setting>,
    fingerprint: u64,
}

/// The same for the whole process, so that fingerprints can be compared.
const HASHER: RandomState = RandomState::with_seeds(
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0,
    0x082e_fa98_ec4e_6c89,
);

const LISTED_SETTINGS: &[u8] = b"SELECT name, pg_catalog.current_setting(name) \
    FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'session'";

impl PartialEq for Settings {
    fn eq(&self, other: &Settings) -> bool {
        self.fingerprint == other.fingerprint && self.entries == other.entries
    }
}

impl Eq for Settings {}

impl Settings {
    pub fn new(entries: impl IntoIterator<Item = (String, Setting)>) -> Settings {
        Settings::of(entries.into_iter().collect())
    }

    fn of(entries: BTreeMap<String, Setting>) -> Settings {
        let fingerprint = if entries.is_empty() { 0 } else { HASHER.hash_one(&entries) };
        Settings { entries, fingerprint }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Setting> {
        self.entries.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.entries.iter().map(|(name, setting)| (name.as_str(), setting))
    }

    #[must_use]
    pub fn with(&self, name: &str, setting: Setting) -> Settings {
        let mut entries = self.entries.clone();
        entries.insert(name.to_owned(), setting);
        Settings::of(entries)
    }

    #[must_use]
    pub fn without(&self, name: &str) -> Settings {
        let mut entries = self.entries.clone();
        entries.remove(name);
        Settings::of(entries)
    }

    /// Asks a server for what is set in its session, in rows of names and values as `set_config` takes
    /// them. Custom settings are not listed, so they must be named.
    #[must_use]
    pub fn query_of_session(custom: &BTreeSet<String>) -> Vec<u8> {
        let mut sql = LISTED_SETTINGS.to_vec();
        for name in custom {
            sql.extend_from_slice(b" UNION ALL SELECT * FROM (SELECT ");
            append_literal(&mut sql, name);
            sql.extend_from_slice(b", pg_catalog.current_setting(");
            append_literal(&mut sql, name);
            sql.extend_from_slice(b", true)) AS custom (name, value) WHERE value IS NOT NULL");
        }
        sql
    }

    /// The statements that turn a connection with the settings `before` into one with these.
    #[must_use]
    pub fn restore_from(&self, before: &Settings) -> Vec<u8> {
        let mut sql = Vec::with_capacity(128);
        for identity in IDENTITIES {
            if before.entries.contains_key(identity.name) {
                sql.extend_from_slice(identity.reset);
            }
        }
        if !before.is_empty() {
            sql.extend_from_slice(b"RESET ALL;");
        }
        let is_identity = |name: &str| IDENTITIES.iter().any(|identity| identity.name == name);
        for (name, setting) in self.entries.iter().filter(|(name, _)| !is_identity(name)) {
            append(&mut sql, name, setting);
        }
        for identity in IDENTITIES {
            if let Some(setting) = self.entries.get(identity.name) {
                append(&mut sql, identity.name, setting);
            }
        }
        sql
    }

    /// The statements that make what `before` lacks.
    #[must_use]
    pub fn beyond(&self, before: &Settings) -> Vec<u8> {
        let mut sql = Vec::new();
        for (name, setting) in &self.entries {
            if before.entries.get(name) != Some(setting) {
                append(&mut sql, name, setting);
            }
        }
        sql
    }
}

/// Settings that RESET ALL leaves alone, in the order in which they must be made.
struct Identity {
    name: &'static str,
    reset: &'static [u8],
}

const IDENTITIES: [Identity; 2] = [
    Identity { name: "session_authorization", reset: b"RESET SESSION AUTHORIZATION;" },
    Identity { name: "role", reset: b"RESET ROLE;" },
];

fn append(sql: &mut Vec<u8>, name: &str, setting: &Setting) {
    match setting {
        Setting::Statement(statement) | Setting::Said { statement, .. } => {
            sql.extend_from_slice(statement);
        }
        Setting::Value(value) => {
            sql.extend_from_slice(b"SELECT pg_catalog.set_config(");
            append_literal(sql, name);
            sql.push(b',');
            append_literal(sql, value);
            sql.extend_from_slice(b",false)");
        }
    }
    // The statement may end in a comment.
    sql.extend_from_slice(b"\n;");
}

fn append_literal(sql: &mut Vec<u8>, text: &str) {
    let has_backslash = text.contains('\\');
    sql.extend_from_slice(if has_backslash { b" E'" } else { b"'" });
    for &byte in text.as_bytes() {
        if byte == b'\'' || byte == b'\\' {
            sql.push(byte);
        }
        sql.push(byte);
    }
    sql.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Setting {
        Setting::Value(text.to_owned())
    }

    fn restored(to: &Settings, from: &Settings) -> String {
        String::from_utf8(to.restore_from(from)).expect("the test's settings are UTF-8")
    }

    #[test]
    fn the_role_is_set_last_and_reset_first() {
        let none = Settings::default();
        let settings = none
            .with("role", Setting::Statement(b"SET ROLE bob".to_vec()))
            .with("search_path", value("a, b"));
        assert_eq!(
            restored(&settings, &none),
            "SELECT pg_catalog.set_config('search_path','a, b',false)\n;SET ROLE bob\n;"
        );
        assert_eq!(restored(&none, &settings), "RESET ROLE;RESET ALL;");
    }

    #[test]
    fn values_cannot_leave_their_literal() {
        let settings = Settings::default().with("application_name", value(r"it's \ ok"));
        assert_eq!(
            restored(&settings, &Settings::default()),
            "SELECT pg_catalog.set_config('application_name', E'it''s \\\\ ok',false)\n;"
        );
    }

    #[test]
    fn equal_settings_are_equal_however_they_were_made() {
        let a = Settings::default().with("x", value("1")).with("y", value("2"));
        let b =
            Settings::default().with("y", value("2")).with("z", value("3")).with("x", value("1"));
        assert_ne!(a, b);
        assert_eq!(a, b.without("z"));
        assert_eq!(a.without("x").without("y"), Settings::default());
    }
}

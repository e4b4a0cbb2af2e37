//! The settings of one session: what holds now, what a rollback brings back, and what of it Herd
//! itself must know.

use std::collections::BTreeMap;
use std::sync::Arc;

use herd_catalog::SearchPath;
use herd_node::{Setting, Settings};

/// Statements of SET SESSION CHARACTERISTICS, which change several settings at once.
const CHARACTERISTICS: &str = "session characteristics";
const IDENTITIES: [&str; 2] = ["session_authorization", "role"];

#[derive(Debug)]
pub struct SessionSettings {
    /// From the startup packet: what RESET goes back to.
    startup: Arc<Settings>,
    committed: Arc<Settings>,
    current: Arc<Settings>,
    /// SET LOCAL, as far as Herd must know of it.
    local: Local,
    /// What ROLLBACK TO goes back to, innermost last.
    savepoints: Vec<Savepoint>,
    login_role: String,
    /// The search_path of a session that sets none: a default of the role or the database.
    default_search_path: String,
    search_path: SearchPath,
    auto_fragment: Option<String>,
}

/// Values by name; `None` is the default.
type Local = BTreeMap<String, Option<String>>;

#[derive(Debug)]
struct Savepoint {
    name: String,
    settings: Arc<Settings>,
    local: Local,
}

impl SessionSettings {
    #[must_use]
    pub fn new(
        startup: &[(String, String)],
        login_role: &str,
        default_search_path: &str,
    ) -> SessionSettings {
        let entries =
            startup.iter().map(|(name, value)| (name.clone(), Setting::Value(value.clone())));
        let startup = Arc::new(Settings::new(entries));
        let mut settings = SessionSettings {
            committed: Arc::clone(&startup),
            current: Arc::clone(&startup),
            startup,
            local: Local::new(),
            savepoints: Vec::new(),
            login_role: login_role.to_owned(),
            default_search_path: default_search_path.to_owned(),
            search_path: SearchPath::new([]),
            auto_fragment: None,
        };
        settings.derive();
        settings
    }

    #[must_use]
    pub fn current(&self) -> &Arc<Settings> {
        &self.current
    }

    /// What a new connection gets at the start of a transaction.
    #[must_use]
    pub fn committed(&self) -> &Arc<Settings> {
        &self.committed
    }

    #[must_use]
    pub fn search_path(&self) -> &SearchPath {
        &self.search_path
    }

    #[must_use]
    pub fn auto_fragment(&self) -> Option<&str> {
        self.auto_fragment.as_deref()
    }

    /// The savepoint that a failed transaction goes back to at most.
    #[must_use]
    pub fn innermost_savepoint(&self) -> Option<&str> {
        self.savepoints.last().map(|savepoint| savepoint.name.as_str())
    }

    pub fn set(&mut self, name: &str, setting: Setting) {
        self.change(self.current.with(name, setting));
    }

    pub fn add_characteristics(&mut self, statement: &[u8]) {
        let mut all = match self.current.get(CHARACTERISTICS) {
            Some(Setting::Statement(before)) => [before.as_slice(), b"\n;"].concat(),
            _ => Vec::new(),
        };
        all.extend_from_slice(statement);
        self.change(self.current.with(CHARACTERISTICS, Setting::Statement(all)));
    }

    /// Back to the value of the startup packet, or to the server's default. Returns what the
    /// server connection has now, which ran the RESET itself and knows no startup packet.
    pub fn reset(&mut self, name: &str) -> Arc<Settings> {
        let bare = Arc::new(self.current.without(name));
        match self.startup.get(name) {
            Some(setting) => self.change(bare.with(name, setting.clone())),
            None => self.change(Settings::clone(&bare)),
        }
        bare
    }

    /// The same for RESET ALL, which leaves the role alone.
    pub fn reset_all(&mut self) -> Arc<Settings> {
        let mut bare = Settings::default();
        let mut next = Settings::clone(&self.startup);
        for name in IDENTITIES {
            if let Some(setting) = self.current.get(name) {
                bare = bare.with(name, setting.clone());
                next = next.with(name, setting.clone());
            }
        }
        self.change(next);
        Arc::new(bare)
    }

    /// DISCARD ALL: as on the first day.
    pub fn discard(&mut self) {
        self.change(Settings::clone(&self.startup));
        self.commit();
    }

    /// Takes over what the server lists; the role, and settings that no server lists, stay.
    pub fn replace_listed(&mut self, listed: impl Iterator<Item = (String, String)>) {
        let unlisted = |name: &str| IDENTITIES.contains(&name) || name.contains('.');
        let kept = self.current.iter().filter(|(name, _)| unlisted(name));
        let kept = kept.map(|(name, setting)| (name.to_owned(), setting.clone()));
        let listed = listed.map(|(name, value)| (name.to_ascii_lowercase(), Setting::Value(value)));
        self.change(Settings::new(kept.chain(listed)));
        self.commit();
    }

    pub fn savepoint(&mut self, name: &str) {
        self.savepoints.push(Savepoint {
            name: name.to_owned(),
            settings: Arc::clone(&self.current),
            local: self.local.clone(),
        });
    }

    pub fn release(&mut self, name: &str) {
        if let Some(at) = self.savepoints.iter().rposition(|savepoint| savepoint.name == name) {
            self.savepoints.truncate(at);
        }
    }

    pub fn roll_back_to(&mut self, name: &str) {
        if let Some(at) = self.savepoints.iter().rposition(|savepoint| savepoint.name == name) {
            self.savepoints.truncate(at + 1);
            self.current = Arc::clone(&self.savepoints[at].settings);
            self.local = self.savepoints[at].local.clone();
            self.derive();
        }
    }

    pub fn commit(&mut self) {
        self.end_local();
        self.committed = Arc::clone(&self.current);
    }

    pub fn roll_back(&mut self) {
        self.end_local();
        self.adopt(Arc::clone(&self.committed));
    }

    /// SET LOCAL: until the transaction ends. Only what Herd itself reads is kept.
    pub fn set_local(&mut self, name: &str, value: Option<String>) {
        if matches!(name, "search_path" | "role" | "herd.auto_fragment") {
            self.local.insert(name.to_owned(), value);
            self.derive();
        }
    }

    fn end_local(&mut self) {
        self.savepoints.clear();
        if !self.local.is_empty() {
            self.local.clear();
            self.derive();
        }
    }

    fn change(&mut self, settings: Settings) {
        self.adopt(Arc::new(settings));
    }

    fn adopt(&mut self, settings: Arc<Settings>) {
        if !Arc::ptr_eq(&self.current, &settings) {
            self.current = settings;
            self.derive();
        }
    }

    fn derive(&mut self) {
        let role = self.value("role").unwrap_or_else(|| self.login_role.clone());
        let path = self.value("search_path").unwrap_or_else(|| self.default_search_path.clone());
        self.search_path = parse_search_path(&path, &role);
        self.auto_fragment = self.value("herd.auto_fragment").filter(|value| !value.is_empty());
    }

    fn value(&self, name: &str) -> Option<String> {
        if let Some(local) = self.local.get(name) {
            return local.clone();
        }
        match self.current.get(name)? {
            Setting::Value(value) | Setting::Said { value, .. } => Some(value.clone()),
            Setting::Statement(_) => None,
        }
    }
}

/// The schemas of a search_path as `SHOW search_path` writes it.
fn parse_search_path(text: &str, role: &str) -> SearchPath {
    let mut schemas = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = parse_identifier(rest);
        schemas.push(if name == "$user" { role.to_owned() } else { name });
        rest = after.trim_start().strip_prefix(',').unwrap_or("").trim_start();
    }
    SearchPath::new(schemas)
}

fn parse_identifier(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ']).unwrap_or(text.len());
        return (text[..end].to_ascii_lowercase(), &text[end..]);
    };
    let mut name = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        if character != '"' {
            name.push(character);
        } else if characters.next_if(|(_, next)| *next == '"').is_some() {
            name.push('"');
        } else {
            return (name, &quoted[at + 1..]);
        }
    }
    (name, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schemas(settings: &SessionSettings) -> Vec<&str> {
        settings.search_path().schemas().collect()
    }

    fn said(value: &str) -> Setting {
        Setting::Said { statement: b"SET ...".to_vec(), value: value.to_owned() }
    }

    #[test]
    fn a_rolled_back_set_is_forgotten() {
        let mut settings = SessionSettings::new(&[], "ann", "\"$user\", public");
        settings.set("search_path", said("a"));
        assert_eq!(schemas(&settings), ["a"]);
        settings.roll_back();
        assert_eq!(schemas(&settings), ["ann", "public"]);
    }

    #[test]
    fn a_savepoint_brings_back_what_held_when_it_was_made() {
        let mut settings = SessionSettings::new(&[], "ann", "public");
        settings.set("search_path", said("a"));
        settings.savepoint("s");
        settings.set("search_path", said("b"));
        settings.roll_back_to("s");
        settings.commit();
        assert_eq!(schemas(&settings), ["a"]);
    }

    #[test]
    fn reset_goes_back_to_the_startup_packet() {
        let startup = [("search_path".to_owned(), "\"A b\", c".to_owned())];
        let mut settings = SessionSettings::new(&startup, "ann", "public");
        settings.set("search_path", said("x"));
        let bare = settings.reset("search_path");
        assert_eq!(schemas(&settings), ["A b", "c"]);
        assert!(bare.is_empty());
    }
}

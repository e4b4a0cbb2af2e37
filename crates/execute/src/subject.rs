//! What a definition is about, as its command tag tells.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Who may log in, and as whom.
    Role,
    Object,
}

impl Subject {
    /// What a command tag says was defined, if it is that of a definition.
    #[must_use]
    pub fn of(tag: &[u8]) -> Option<Subject> {
        let verbs = [b"ALTER ".as_slice(), b"CREATE ", b"DROP "];
        let rest = verbs.iter().find_map(|verb| tag.strip_prefix(*verb))?;
        Some(if rest.starts_with(b"ROLE") { Subject::Role } else { Subject::Object })
    }
}

//! What a check found: about what, how bad, and what to do.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub about: About,
    pub level: Level,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    Machine,
    Node(String),
    AllNodes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Fine,
    /// Herd works, but something is missing for more.
    Note,
    /// Herd cannot work like this.
    Problem,
}

impl Finding {
    pub fn new(about: About, level: Level, text: impl Into<String>) -> Finding {
        Finding { about, level, text: text.into() }
    }
}

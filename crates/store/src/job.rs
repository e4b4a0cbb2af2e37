//! Jobs: what has to be carried through, or undone, even if Herd dies in the middle of it.

use herd_types::JobId;
use serde::{Deserialize, Serialize};

/// One job of the control plane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub id: JobId,
    /// Which code understands `payload`.
    pub kind: String,
    /// For people.
    pub description: String,
    pub state: JobState,
    /// Milliseconds since 1970, as are all times here.
    pub created_at_ms: u64,
    pub updated_at_ms: u64,
    /// Why it failed, or why it makes no progress.
    pub error: Option<String>,
    /// All that is needed to carry it on.
    pub payload: serde_json::Value,
}

/// A job that has no id yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    pub kind: String,
    pub description: String,
    pub created_at_ms: u64,
    pub payload: serde_json::Value,
}

/// How far a job is. A job that is found `Running` after a restart is undone; one that is found
/// `Decided` is carried through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    Running,
    /// Its outcome is in the catalog: there is no way back.
    Decided,
    Done,
    /// Undone, with the reason in `error`.
    Failed,
}

impl JobState {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            JobState::Running => "running",
            JobState::Decided => "decided",
            JobState::Done => "done",
            JobState::Failed => "failed",
        }
    }

    #[must_use]
    pub fn is_finished(self) -> bool {
        match self {
            JobState::Running | JobState::Decided => false,
            JobState::Done | JobState::Failed => true,
        }
    }

    pub(crate) fn may_become(self, next: JobState) -> bool {
        match self {
            JobState::Running => true,
            JobState::Decided => matches!(next, JobState::Decided | JobState::Done),
            JobState::Done | JobState::Failed => false,
        }
    }
}

impl NewJob {
    pub(crate) fn with_id(self, id: JobId) -> Job {
        Job {
            id,
            kind: self.kind,
            description: self.description,
            state: JobState::Running,
            created_at_ms: self.created_at_ms,
            updated_at_ms: self.created_at_ms,
            error: None,
            payload: self.payload,
        }
    }
}

//! What has to be done about the jobs and prepared transactions that are found: values in, values
//! out.

use std::collections::BTreeMap;

use herd_catalog::Change;
use herd_store::{Job, JobState};
use herd_types::{JobId, NodeId};

use super::payload::{COPY_GID_PREFIX, DEFINE_GID_PREFIX, Payload};

/// A prepared transaction on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    pub gid: String,
    pub database: String,
    pub owner: String,
}

/// What each node has prepared under this herd's name; `None`: it could not be asked.
pub type PreparedByNode = BTreeMap<NodeId, Option<Vec<Prepared>>>;

/// A job, and who works on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub job: Job,
    pub keeper: Keeper,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// This process is at it.
    Owner,
    /// Nobody: it was left, or the process that had it is no more.
    Nobody,
}

/// One step, which may be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Finish {
        job: JobId,
        node: NodeId,
        prepared: Prepared,
        verdict: Verdict,
    },
    /// The node tells whether the transaction committed; then so are the changes.
    AskNode {
        job: JobId,
        node: NodeId,
        transaction: String,
        changes: Vec<Change>,
    },
    TakeAway {
        job: JobId,
        database: Option<String>,
        undo: BTreeMap<NodeId, Vec<String>>,
    },
    End {
        job: JobId,
        state: JobState,
        error: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Commit,
    Rollback,
}

const INTERRUPTED: &str = "interrupted, and undone";
const TAKEN_AWAY: &str = "interrupted, and taken away again";

/// The steps to take, in order. `prepared` must have been read before the jobs: a job is there
/// before anything is prepared for it.
#[must_use]
pub fn plan(instance: &str, prepared: &PreparedByNode, jobs: &[Found]) -> Vec<Step> {
    let mut steps = Vec::new();
    for (&node, found) in prepared {
        for prepared in found.iter().flatten() {
            let Some(job) = job_of(instance, &prepared.gid) else {
                continue;
            };
            if let Some(verdict) = verdict(jobs.iter().find(|found| found.job.id == job)) {
                steps.push(Step::Finish { job, node, prepared: prepared.clone(), verdict });
            }
        }
    }
    for found in jobs {
        let is_over = found.job.state.is_finished();
        if !is_over && found.keeper == Keeper::Nobody {
            steps.extend(step_of(instance, prepared, &found.job));
        }
    }
    steps
}

/// The number at the end of a gid of this herd.
fn job_of(instance: &str, gid: &str) -> Option<JobId> {
    let rest = [DEFINE_GID_PREFIX, COPY_GID_PREFIX].iter().find_map(|p| gid.strip_prefix(p))?;
    let number = rest.strip_prefix(instance)?.strip_prefix('_')?;
    number.parse().ok().map(JobId)
}

/// A transaction whose job is not known any more belongs to one that failed: those that were
/// decided end only when they are committed everywhere.
fn verdict(found: Option<&Found>) -> Option<Verdict> {
    let Some(Found { job, keeper }) = found else {
        return Some(Verdict::Rollback);
    };
    match (job.state, keeper) {
        (JobState::Decided | JobState::Done, _) => Some(Verdict::Commit),
        (JobState::Failed, _) | (JobState::Running, Keeper::Nobody) => Some(Verdict::Rollback),
        (JobState::Running, Keeper::Owner) => None,
    }
}

fn step_of(instance: &str, prepared: &PreparedByNode, job: &Job) -> Option<Step> {
    let end = |state, error: Option<String>| Some(Step::End { job: job.id, state, error });
    let payload: Payload = match serde_json::from_value(job.payload.clone()) {
        Ok(payload) => payload,
        Err(error) => {
            let error = format!("it is not known what this job was about: {error}");
            let state = match job.state {
                JobState::Decided => JobState::Done,
                _ => JobState::Failed,
            };
            return end(state, Some(error));
        }
    };
    let is_settled = is_settled(instance, prepared, job.id, &payload);
    match (job.state, payload) {
        (JobState::Done | JobState::Failed, _) => None,
        (JobState::Running, Payload::Alone { node, transaction, changes }) => {
            Some(Step::AskNode { job: job.id, node, transaction, changes })
        }
        // From now on what is prepared for it is rolled back wherever it is found.
        (JobState::Running, _) => end(JobState::Failed, Some(INTERRUPTED.to_owned())),
        (JobState::Decided, Payload::Build { database, undo, .. }) if is_settled => {
            Some(Step::TakeAway { job: job.id, database, undo })
        }
        (JobState::Decided, _) => is_settled.then(|| end(JobState::Done, None)).flatten(),
    }
}

/// Whether all nodes of the job were asked, and none has anything prepared for it.
fn is_settled(instance: &str, prepared: &PreparedByNode, job: JobId, payload: &Payload) -> bool {
    payload.nodes().iter().all(|node| match prepared.get(node) {
        Some(Some(found)) => found.iter().all(|each| job_of(instance, &each.gid) != Some(job)),
        // A node that is no more has nothing to commit.
        None => true,
        Some(None) => false,
    })
}

impl Step {
    /// How a job ends whose pieces have been taken away.
    pub(super) fn end_of_taken_away(job: JobId) -> Step {
        Step::End { job, state: JobState::Done, error: Some(TAKEN_AWAY.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const NODES: [NodeId; 2] = [NodeId(1), NodeId(2)];

    fn job(id: u64, state: JobState, payload: &Payload) -> Job {
        Job {
            id: JobId(id),
            kind: "define".to_owned(),
            description: "CREATE TABLE public.t".to_owned(),
            state,
            created_at_ms: 0,
            updated_at_ms: 0,
            error: None,
            payload: serde_json::to_value(payload).unwrap(),
        }
    }

    fn of_two_nodes() -> Payload {
        Payload::Prepared { gid: "herd_ddl_x_".to_owned(), nodes: NODES.to_vec(), database: None }
    }

    fn left(job: Job) -> Found {
        Found { job, keeper: Keeper::Nobody }
    }

    fn on_node(gid: &str) -> Prepared {
        let (database, owner) = ("app".to_owned(), "alice".to_owned());
        Prepared { gid: gid.to_owned(), database, owner }
    }

    fn only_on_two(gid: &str) -> PreparedByNode {
        BTreeMap::from([(NodeId(1), Some(vec![])), (NodeId(2), Some(vec![on_node(gid)]))])
    }

    fn verdicts(steps: &[Step]) -> Vec<(NodeId, Verdict)> {
        let verdict = |step: &Step| match step {
            Step::Finish { node, verdict, .. } => Some((*node, *verdict)),
            _ => None,
        };
        steps.iter().filter_map(verdict).collect()
    }

    #[test]
    fn undecided_work_of_a_dead_process_is_rolled_back_and_has_failed() {
        let prepared = only_on_two("herd_ddl_x_7");
        let jobs = [left(job(7, JobState::Running, &of_two_nodes()))];
        let steps = plan("x", &prepared, &jobs);
        assert_eq!(verdicts(&steps), [(NodeId(2), Verdict::Rollback)]);
        assert!(matches!(steps[1], Step::End { state: JobState::Failed, .. }), "{steps:?}");
    }

    #[test]
    fn decided_work_is_committed_and_ends_once_nothing_is_left() {
        let jobs = [left(job(7, JobState::Decided, &of_two_nodes()))];
        let steps = plan("x", &only_on_two("herd_ddl_x_7"), &jobs);
        assert_eq!(verdicts(&steps), [(NodeId(2), Verdict::Commit)]);
        assert_eq!(steps.len(), 1);
        let steps = plan("x", &only_on_two("herd_ddl_x_8"), &jobs);
        assert!(matches!(steps[1], Step::End { state: JobState::Done, error: None, .. }));
    }

    #[test]
    fn decided_work_waits_for_nodes_that_cannot_be_asked() {
        let prepared = BTreeMap::from([(NodeId(1), Some(vec![])), (NodeId(2), None)]);
        let jobs = [left(job(7, JobState::Decided, &of_two_nodes()))];
        assert_eq!(plan("x", &prepared, &jobs), []);
    }

    #[test]
    fn work_in_progress_is_left_alone() {
        let found =
            Found { job: job(7, JobState::Running, &of_two_nodes()), keeper: Keeper::Owner };
        assert_eq!(plan("x", &only_on_two("herd_ddl_x_7"), &[found]), []);
    }

    #[test]
    fn a_late_prepare_is_an_orphan_and_rolled_back() {
        let jobs = [left(job(7, JobState::Failed, &of_two_nodes()))];
        let steps = plan("x", &only_on_two("herd_copy_x_7"), &jobs);
        assert_eq!(verdicts(&steps), [(NodeId(2), Verdict::Rollback)]);
        let steps = plan("x", &only_on_two("herd_copy_x_3"), &jobs);
        assert_eq!(verdicts(&steps), [(NodeId(2), Verdict::Rollback)]);
    }

    #[test]
    fn what_is_not_this_herds_is_never_touched() {
        for gid in ["herd_ddl_y_7", "pg_gid_1_2", "herd_ddl_x", "herd_ddl_x_", "herd_ddl_xx_7"] {
            assert_eq!(plan("x", &only_on_two(gid), &[]), [], "{gid}");
        }
    }

    #[test]
    fn an_interrupted_build_is_taken_away_after_its_beginning_was_committed() {
        let undo = BTreeMap::from([(NodeId(2), vec!["DROP INDEX i".to_owned()])]);
        let gid = "herd_ddl_x_".to_owned();
        let database = Some("app".to_owned());
        let nodes = NODES.to_vec();
        let payload = Payload::Build { gid, nodes, database: database.clone(), undo: undo.clone() };
        let jobs = [left(job(7, JobState::Decided, &payload))];
        let steps = plan("x", &only_on_two("herd_ddl_x_7"), &jobs);
        assert_eq!(verdicts(&steps), [(NodeId(2), Verdict::Commit)]);
        assert_eq!(steps.len(), 1);
        let nothing = BTreeMap::from([(NodeId(1), Some(vec![])), (NodeId(2), Some(vec![]))]);
        assert_eq!(plan("x", &nothing, &jobs), [Step::TakeAway { job: JobId(7), database, undo }]);
    }

    #[test]
    fn a_job_that_nobody_understands_ends() {
        let mut unknown = job(7, JobState::Running, &of_two_nodes());
        unknown.payload = Value::Null;
        let steps = plan("x", &PreparedByNode::new(), &[left(unknown)]);
        assert!(matches!(&steps[..], [Step::End { state: JobState::Failed, error: Some(_), .. }]));
    }
}

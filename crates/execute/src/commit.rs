//! The end of a transaction on several nodes: it happens on all that have written, or on none.

use std::time::Duration;

use futures::future::join_all;
use herd_node::{Answer, NodeError, ServerConnection};
use herd_types::NodeId;
use tokio::time::timeout;

use crate::copy::CopyTrouble;
use crate::decisions::{Decision, Decisions, End, Intent};

/// Within which a node must have prepared, or finished a prepared transaction.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(60);
const HAS_WRITTEN: &[u8] = b"SELECT pg_catalog.pg_current_xact_id_if_assigned() IS NOT NULL";

/// Commits open transactions that are one: in one phase if a single node has written. Those that have
/// only read end last. After an error nothing remains, unless it says otherwise.
///
/// Not cancel-safe: what is prepared by then is left to be repaired.
pub async fn commit_open(
    connections: Vec<&mut ServerConnection>,
    decisions: &dyn Decisions,
    intent: Intent,
    unusable: &mut Vec<NodeId>,
) -> Result<(), CopyTrouble> {
    let asked = connections.into_iter().map(|connection| async {
        let written = has_written(connection).await;
        (connection, written)
    });
    let (mut readers, mut writers, mut first_error) = (Vec::new(), Vec::new(), None);
    for (connection, written) in join_all(asked).await {
        match written {
            Ok(true) => writers.push(connection),
            Ok(false) => readers.push(connection),
            Err(error) => {
                unusable.push(connection.node());
                first_error.get_or_insert(error);
            }
        }
    }
    if let Some(error) = first_error {
        readers.extend(writers);
        roll_back(readers, unusable).await;
        return Err(CopyTrouble::undone(&error));
    }
    let committed = commit(Vec::new(), writers, decisions, intent, unusable).await;
    let end: &[u8] = if committed.is_ok() { b"COMMIT" } else { b"ROLLBACK" };
    let ended = readers.into_iter().map(|reader| async {
        let ended = in_time(reader, end).await;
        (reader.node(), ended.map(drop))
    });
    for (node, ended) in join_all(ended).await {
        if let Err(error) = ended {
            tracing::warn!(%error, "a node that only read did not end its transaction");
            unusable.push(node);
        }
    }
    committed
}

/// Ends the transactions of `idle`, which did nothing, and commits those of `writers`. After an
/// error nothing remains, unless it says otherwise. Connections that are not at rest afterwards
/// are named in `unusable`.
///
/// Not cancel-safe: what is prepared by then is left to be repaired.
pub async fn commit(
    idle: Vec<&mut ServerConnection>,
    mut writers: Vec<&mut ServerConnection>,
    decisions: &dyn Decisions,
    intent: Intent,
    unusable: &mut Vec<NodeId>,
) -> Result<(), CopyTrouble> {
    roll_back(idle, unusable).await;
    match writers.as_mut_slice() {
        [] => Ok(()),
        [writer] => commit_one(writer, unusable).await,
        writers => commit_all(writers, decisions, intent, unusable).await,
    }
}

/// Ends transactions of which nothing shall remain.
pub async fn roll_back(connections: Vec<&mut ServerConnection>, unusable: &mut Vec<NodeId>) {
    let ends = connections.into_iter().map(|connection| async {
        let node = connection.node();
        (node, timeout(PREPARE_TIMEOUT, connection.simple(b"ROLLBACK")).await)
    });
    for (node, end) in join_all(ends).await {
        if !matches!(end, Ok(Ok(_))) {
            unusable.push(node);
        }
    }
}

async fn commit_one(
    writer: &mut ServerConnection,
    unusable: &mut Vec<NodeId>,
) -> Result<(), CopyTrouble> {
    match writer.simple(b"COMMIT").await {
        Ok((answer, _)) if answer.tag == "COMMIT" => Ok(()),
        Ok((answer, _)) => {
            let reason = format!("COMMIT was answered with {}", answer.tag);
            Err(CopyTrouble::undone(&writer.broken(&reason)))
        }
        Err(NodeError::Server(body)) => Err(CopyTrouble::Server(body)),
        Err(lost) => {
            unusable.push(writer.node());
            Err(CopyTrouble::unknown(lost.to_string()))
        }
    }
}

async fn commit_all(
    writers: &mut [&mut ServerConnection],
    decisions: &dyn Decisions,
    intent: Intent,
    unusable: &mut Vec<NodeId>,
) -> Result<(), CopyTrouble> {
    let decision = match decisions.open(intent).await {
        Ok(decision) => decision,
        Err(error) => {
            let writers = writers.iter_mut().map(|writer| &mut **writer).collect();
            roll_back(writers, unusable).await;
            return Err(error.into());
        }
    };
    if let Err(error) = prepare(writers, decisions, &decision, unusable).await {
        return Err(CopyTrouble::of_statement(error));
    }
    if let Err(error) = decisions.commit(&decision).await {
        decisions.leave(&decision, error.to_string()).await;
        return Err(CopyTrouble::unknown(error.message.into_owned()));
    }
    let failed = finish(writers, "COMMIT PREPARED", &decision, unusable).await;
    match failed {
        None => decisions.close(&decision, End::Committed).await,
        Some(error) => {
            // It is decided: the rows will be there as soon as the node is.
            tracing::warn!(%error, gid = decision.gid, "committed, but not yet everywhere");
            decisions.leave(&decision, error.to_string()).await;
        }
    }
    Ok(())
}

/// All writers are prepared afterwards, or what was prepared is rolled back.
async fn prepare(
    writers: &mut [&mut ServerConnection],
    decisions: &dyn Decisions,
    decision: &Decision,
    unusable: &mut Vec<NodeId>,
) -> Result<(), NodeError> {
    let steps = writers.iter_mut().map(|writer| async {
        let sql = format!("PREPARE TRANSACTION '{}'", decision.gid);
        step(writer, &sql, "PREPARE TRANSACTION").await
    });
    let results = join_all(steps).await;
    if results.iter().all(Result::is_ok) {
        return Ok(());
    }
    let mut prepared = Vec::new();
    let mut first = None;
    let mut in_doubt = None;
    for (writer, result) in writers.iter_mut().zip(results) {
        let Err(error) = result else {
            prepared.push(&mut **writer);
            continue;
        };
        if !matches!(error, NodeError::Server(_)) {
            // It may be prepared all the same.
            unusable.push(writer.node());
            in_doubt = Some(error.to_string());
        }
        first.get_or_insert(error);
    }
    if let Some(error) = finish(&mut prepared, "ROLLBACK PREPARED", decision, unusable).await {
        in_doubt = Some(error.to_string());
    }
    match in_doubt {
        Some(reason) => decisions.leave(decision, reason).await,
        None => {
            let reason = first.as_ref().map(NodeError::to_string).unwrap_or_default();
            decisions.close(decision, End::RolledBack(reason)).await;
        }
    }
    first.map_or(Ok(()), Err)
}

/// Ends what is prepared; returns an error of one that could not be ended.
async fn finish(
    writers: &mut [&mut ServerConnection],
    command: &str,
    decision: &Decision,
    unusable: &mut Vec<NodeId>,
) -> Option<NodeError> {
    let steps = writers.iter_mut().map(|writer| async {
        let sql = format!("{command} '{}'", decision.gid);
        (writer.node(), step(writer, &sql, command).await)
    });
    let mut failed = None;
    for (node, result) in join_all(steps).await {
        if let Err(error) = result {
            if !matches!(error, NodeError::Server(_)) {
                unusable.push(node);
            }
            failed = Some(error);
        }
    }
    failed
}

async fn step(connection: &mut ServerConnection, sql: &str, tag: &str) -> Result<(), NodeError> {
    let answer = in_time(connection, sql.as_bytes()).await?;
    if answer.tag == tag {
        return Ok(());
    }
    Err(connection.broken(&format!("{tag} was answered with {}", answer.tag)))
}

async fn has_written(connection: &mut ServerConnection) -> Result<bool, NodeError> {
    let answer = in_time(connection, HAS_WRITTEN).await?;
    Ok(matches!(answer.rows.first().map(Vec::as_slice), Some([Some(value)]) if value == "t"))
}

/// A node that hangs must not keep the others from ending.
async fn in_time(connection: &mut ServerConnection, sql: &[u8]) -> Result<Answer, NodeError> {
    match timeout(PREPARE_TIMEOUT, connection.simple(sql)).await {
        Ok(said) => said.map(|(answer, _)| answer),
        Err(_) => {
            let node = connection.node_name().to_owned();
            Err(NodeError::Silent { node, waited: PREPARE_TIMEOUT })
        }
    }
}

//! Planning a draft to its end, by asking nodes for what it needs to know.

use herd_catalog::Catalog;
use herd_plan::ddl::{Draft, Facts, Outcome, Question, Stop};
use herd_types::{ClientError, SqlState};

use super::session::Sessions;
use super::{DefineError, Nodes, QUESTION_ROUNDS_MAX};

pub(super) async fn complete<N: Nodes>(
    draft: &Draft,
    catalog: &Catalog,
    sessions: &mut Sessions<'_, N>,
) -> Result<Outcome, DefineError> {
    let mut facts = Facts::default();
    for _ in 0..QUESTION_ROUNDS_MAX {
        let questions = match draft.plan(catalog, &facts) {
            Ok(outcome) => return Ok(outcome),
            Err(Stop::Refused(error)) => return Err(error.into()),
            Err(Stop::Ask(questions)) => questions,
        };
        for question in questions {
            ask(catalog, sessions, &mut facts, question).await?;
        }
    }
    Err(too_many_questions().into())
}

async fn ask<N: Nodes>(
    catalog: &Catalog,
    sessions: &mut Sessions<'_, N>,
    facts: &mut Facts,
    question: Question,
) -> Result<(), DefineError> {
    let node = question.node(catalog.home());
    let rows = sessions.query(node, &question.sql()).await.map_err(|error| error.of(node))?;
    facts.learn(question, rows);
    Ok(())
}

fn too_many_questions() -> ClientError {
    ClientError::error(
        SqlState::STATEMENT_TOO_COMPLEX,
        format!("the statement needs more than {QUESTION_ROUNDS_MAX} rounds of questions"),
    )
    .with_hint("Split it into several statements.")
}

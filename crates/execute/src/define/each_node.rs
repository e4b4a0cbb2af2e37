//! Statements that PostgreSQL refuses within a transaction, and that may be repeated at will.

use futures::future::join_all;
use herd_plan::ddl::Script;

use super::session::Sessions;
use super::transaction::first_error;
use super::{DefineError, Definer, Intent, Journal, NodeSession, Nodes, Publisher, Settled};

impl<J: Journal, P: Publisher> Definer<J, P> {
    pub(super) async fn run_on_each<N: Nodes>(
        &self,
        sessions: &mut Sessions<'_, N>,
        summary: &str,
        script: Script,
    ) -> Result<(), DefineError> {
        let home = self.publisher.current().home();
        let nodes = script.nodes.keys().copied().collect::<Vec<_>>();
        let taken = sessions.take_all(nodes.iter().copied()).await?;
        let job = self.journal.begin(summary, Intent::Repeatable { nodes }).await?;
        let work = taken.into_iter().zip(script.nodes.into_values());
        let results = join_all(work.map(|((node, mut session), statements)| async move {
            let mut result = Ok(());
            for statement in statements {
                result = result.and(session.query(&statement.sql).await.map(|_| ()));
            }
            (node, result)
        }));
        let result = first_error(home, results.await);
        self.journal.settle(job, settled(&result)).await;
        result
    }
}

fn settled(result: &Result<(), DefineError>) -> Settled {
    match result {
        Ok(()) => Settled::Done,
        Err(error) => Settled::Failed(error.to_string()),
    }
}

//! What the functions of a database leave behind: read on the control runtime, judged by `plan`.

use std::sync::Arc;
use std::time::Duration;

use herd_plan::{Dependent, Object, RoutineText, Routines, Survey};
use herd_session::{Boxed, RoutineReader};
use herd_sidecar::{CodeObject, ControlError, RoutineCatalog, RoutineRow, UseRow};
use herd_types::{ClientError, SqlState};
use tokio::runtime::Handle;

/// A client that has defined something waits for it.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

pub struct HerdRoutines {
    catalog: Arc<RoutineCatalog>,
    runtime: Handle,
}

impl HerdRoutines {
    pub fn new(catalog: RoutineCatalog, runtime: Handle) -> HerdRoutines {
        HerdRoutines { catalog: Arc::new(catalog), runtime }
    }
}

impl RoutineReader for HerdRoutines {
    fn read<'a>(&'a self, database: &'a str) -> Boxed<'a, Result<Routines, ClientError>> {
        let catalog = Arc::clone(&self.catalog);
        let database = database.to_owned();
        let reading = self.runtime.spawn(async move {
            let read = tokio::time::timeout(READ_TIMEOUT, survey(&catalog, &database)).await;
            read.map_err(|_| too_slow())?.map_err(|error| error.to_client())
        });
        Box::pin(async move {
            let ended =
                |_| ClientError::fatal(SqlState::CANNOT_CONNECT_NOW, "Herd is shutting down");
            reading.await.map_err(ended)?
        })
    }
}

async fn survey(catalog: &RoutineCatalog, database: &str) -> Result<Routines, ControlError> {
    let reading = catalog.open(database).await?;
    let mut survey = Survey::new(reading.texts().await?.into_iter().map(text));
    survey.note(reading.uses_of_builtins().await?.into_iter().map(dependent));
    loop {
        let unasked: Vec<CodeObject> = survey.unasked().into_iter().map(code_object).collect();
        if unasked.is_empty() {
            return Ok(survey.into_routines());
        }
        survey.note(reading.dependents(&unasked).await?.into_iter().map(dependent));
    }
}

fn text(row: RoutineRow) -> RoutineText {
    let RoutineRow { oid, name, language, in_extension, body } = row;
    RoutineText { oid, name, language, in_extension, body }
}

fn dependent(row: UseRow) -> Dependent {
    let UseRow { source, object: used_by, name, on_write } = row;
    Dependent { source: object(source), object: object(used_by), name, on_write }
}

fn object(object: CodeObject) -> Object {
    match object {
        CodeObject::Routine(oid) => Object::Routine(oid),
        CodeObject::Relation(oid) => Object::Relation(oid),
        CodeObject::Type(oid) => Object::Type(oid),
        CodeObject::Operator(oid) => Object::Operator(oid),
        CodeObject::EventTrigger(oid) => Object::EventTrigger(oid),
        CodeObject::Builtin => Object::Builtin,
    }
}

fn code_object(object: Object) -> CodeObject {
    match object {
        Object::Routine(oid) => CodeObject::Routine(oid),
        Object::Relation(oid) => CodeObject::Relation(oid),
        Object::Type(oid) => CodeObject::Type(oid),
        Object::Operator(oid) => CodeObject::Operator(oid),
        Object::EventTrigger(oid) => CodeObject::EventTrigger(oid),
        Object::Builtin => CodeObject::Builtin,
    }
}

fn too_slow() -> ClientError {
    let waited = READ_TIMEOUT.as_secs();
    ClientError::error(SqlState::CONNECTION_FAILURE, format!("no answer within {waited} seconds"))
}

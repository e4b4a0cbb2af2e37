//! SHOW: of Herd's own relations, or of a setting.

use crate::cursor::Cursor;
use crate::{Action, Plan, Relation, Target};

pub(super) fn understand(cursor: Cursor<'_>) -> Plan {
    match cursor.rest() {
        [name] => match name.identifier(cursor.sql()).and_then(|name| Relation::by_name(&name)) {
            Some(relation) => Plan::new(Action::Show(relation), "Herd's own"),
            None => setting(),
        },
        _ => setting(),
    }
}

fn setting() -> Plan {
    Plan::forward(Target::Neutral, "every node has the session's settings")
}

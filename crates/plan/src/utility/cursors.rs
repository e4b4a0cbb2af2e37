//! DECLARE CURSOR.

use herd_types::ClientError;

use crate::cursor::Cursor;
use crate::planner::{self, Meaning};
use crate::{Action, Context, Effects, PinReason, Target};

/// The plan of the cursor's query: the cursor is where that is answered. `None` when it is not
/// in PostgreSQL's grammar.
pub(super) fn understand_declare(
    mut cursor: Cursor<'_>,
    context: &Context<'_>,
) -> Result<Option<Meaning>, ClientError> {
    let Some(held) = read_head(&mut cursor) else {
        return Ok(None);
    };
    let Some(mut meaning) = planner::query_of_one_node(cursor.sql(), cursor.rest(), context)?
    else {
        return Ok(None);
    };
    if held {
        let pin = Effects::pinned(PinReason::HeldCursor);
        meaning.plan.effects = meaning.plan.effects.and(pin);
    }
    if let Action::Forward(forward) = &mut meaning.plan.action
        && matches!(forward.target, Target::Neutral | Target::Everywhere)
    {
        forward.target = Target::Current;
        meaning.plan.reasons.push("the cursor stays where it is declared".into());
    }
    Ok(Some(meaning))
}

/// Reads up to FOR, and tells whether WITH HOLD was among it.
fn read_head(cursor: &mut Cursor<'_>) -> Option<bool> {
    cursor.identifier()?;
    let options = ["binary", "insensitive", "asensitive", "no", "scroll"];
    while cursor.one_of(&options).is_some() {}
    if !cursor.word("cursor") {
        return None;
    }
    let held = cursor.words(&["with", "hold"]);
    cursor.words(&["without", "hold"]);
    cursor.word("for").then_some(held)
}

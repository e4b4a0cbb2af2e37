//! DECLARE CURSOR, and what other statements do with cursors.

use herd_types::ClientError;

use crate::cursor::Cursor;
use crate::lex::{self, Kind};
use crate::planner::{self, Meaning};
use crate::{Action, Context, Effects, PinReason, Target};

/// What a statement does with a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CursorCommand {
    Declare(String),
    /// FETCH or MOVE.
    Read(String),
    Close(String),
    CloseAll,
}

impl CursorCommand {
    /// `None` for any other statement, and for one that is not in PostgreSQL's grammar.
    #[must_use]
    pub fn read(sql: &[u8]) -> Option<CursorCommand> {
        let mut tokens = lex::tokens(sql).ok()?;
        while tokens.pop_if(|token| token.kind == Kind::Semicolon).is_some() {}
        let leading = tokens.iter().take_while(|token| token.kind == Kind::Semicolon).count();
        let mut cursor = Cursor::new(sql, &tokens[leading..]);
        let command = cursor.one_of(&["declare", "fetch", "move", "close"])?;
        let name = match command {
            "fetch" | "move" => cursor.rest().last()?.identifier(sql)?,
            "close" if cursor.sees("all") => return Some(CursorCommand::CloseAll),
            _ => cursor.identifier()?,
        };
        let name = name.into_owned();
        Some(match command {
            "declare" => CursorCommand::Declare(name),
            "close" => CursorCommand::Close(name),
            _ => CursorCommand::Read(name),
        })
    }
}

/// The plan of the cursor's query: the cursor is where that is answered. `None` when it is not
/// in PostgreSQL's grammar.
pub(super) fn understand_declare(
    mut cursor: Cursor<'_>,
    context: &Context<'_>,
) -> Result<Option<Meaning>, ClientError> {
    let Some(held) = read_head(&mut cursor) else {
        return Ok(None);
    };
    let Some(mut meaning) = planner::query(cursor.sql(), cursor.rest(), context)? else {
        return Ok(None);
    };
    if held {
        let pin = Effects::pinned(PinReason::HeldCursor);
        meaning.plan.effects = meaning.plan.effects.and(pin);
    }
    if meaning.plan.exchange_mut().is_some_and(|exchange| exchange.locks)
        && let Action::Forward(forward) = &mut meaning.plan.action
    {
        // Its rows would be locked all at once, and not as they are read.
        forward.exchange = None;
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

#[cfg(test)]
mod tests {
    use super::CursorCommand::{self, Close, CloseAll, Declare, Read};

    #[test]
    fn the_name_is_found_in_every_form() {
        let name = || "c".to_owned();
        for (sql, command) in [
            ("DECLARE c CURSOR FOR SELECT 1", Some(Declare(name()))),
            ("declare \"c\" no scroll cursor for table t;", Some(Declare(name()))),
            ("; FETCH C", Some(Read(name()))),
            ("fetch all from c;", Some(Read(name()))),
            ("FETCH BACKWARD 3 IN \"c\"", Some(Read(name()))),
            ("MOVE -1 c", Some(Read(name()))),
            ("CLOSE c", Some(Close(name()))),
            ("CLOSE ALL", Some(CloseAll)),
            ("CLOSE \"all\"", Some(Close("all".to_owned()))),
            ("FETCH", None),
            ("FETCH 3", None),
            ("SELECT c", None),
        ] {
            assert_eq!(CursorCommand::read(sql.as_bytes()), command, "{sql}");
        }
    }
}

//! EXPLAIN: of the node's own plan, or with the option HERD of Herd's.

use std::sync::Arc;

use herd_types::{ClientError, SqlState};

use crate::cursor::Cursor;
use crate::lex::{Kind, Token, position};
use crate::planner::{self, Meaning};
use crate::{Action, Context, Effects, Explain, Plan, effects, named};

/// Which EXPLAIN it is.
enum Mode {
    Plain,
    Analyze,
    Herd,
}

pub(super) fn understand(
    mut cursor: Cursor<'_>,
    context: &Context<'_>,
) -> Result<Meaning, ClientError> {
    let mode = read_mode(&mut cursor)?;
    if matches!(mode, Mode::Herd) {
        return explain_herd(cursor, context);
    }
    let mut meaning = explained(cursor, context)?;
    if !matches!(mode, Mode::Analyze) {
        meaning.plan.effects = Effects::default();
    }
    Ok(meaning)
}

/// What Herd would do, without doing it.
fn explain_herd(cursor: Cursor<'_>, context: &Context<'_>) -> Result<Meaning, ClientError> {
    let statement = cursor.offset()..cursor.sql().len();
    let Meaning { mut plan, slots } = planner::statement(cursor.sql(), cursor.rest(), context)?;
    if let Some(part) = plan.exchange_mut().and_then(|exchange| exchange.part.as_mut()) {
        *part = part.start - statement.start..part.end - statement.start;
    }
    let explain = Explain { statement, plan: Arc::new(plan) };
    Ok(Meaning { plan: Plan::new(Action::Explain(explain), "Herd's own plan"), slots })
}

/// The statement goes where it would go unexplained: its plan is made there.
fn explained(cursor: Cursor<'_>, context: &Context<'_>) -> Result<Meaning, ClientError> {
    let (sql, tokens) = (cursor.sql(), cursor.rest());
    if let Some(meaning) = planner::query_of_one_node(sql, tokens, context)? {
        return Ok(meaning);
    }
    if cursor.sees("execute") || cursor.sees("declare") {
        return planner::statement(sql, tokens, context);
    }
    let plan = named::home_only(sql, tokens, context)?;
    let effects = effects::of_create(sql, tokens, context)
        .and(context.routines.of_statement(sql, tokens, context));
    Ok(Meaning::of(Plan { effects, ..plan }))
}

/// Reads `(option [value], …)` or `[ANALYZE] [VERBOSE]`.
fn read_mode(cursor: &mut Cursor<'_>) -> Result<Mode, ClientError> {
    if !starts_options(*cursor) {
        let analyze = cursor.one_of(&["analyze", "analyse"]).is_some();
        cursor.word("verbose");
        return Ok(if analyze { Mode::Analyze } else { Mode::Plain });
    }
    let sql = cursor.sql();
    let options = cursor.parenthesised().unwrap_or_default();
    let mut mode = Mode::Plain;
    for option in options.split(|token| token.kind == Kind::Comma) {
        match option {
            [name, ..] if name.is_word(sql, "herd") && options.len() > 1 => {
                let message = "EXPLAIN option HERD cannot be combined with others";
                let error = ClientError::error(SqlState::SYNTAX_ERROR, message);
                return Err(error.at(position(sql, name.start as usize)));
            }
            [name] if name.is_word(sql, "herd") => mode = Mode::Herd,
            [name, value @ ..] if is_analyze(sql, *name) && !is_off(sql, value) => {
                mode = Mode::Analyze;
            }
            _ => {}
        }
    }
    Ok(mode)
}

/// Whether the parenthesis that comes next holds options and not a query.
fn starts_options(cursor: Cursor<'_>) -> bool {
    let query = ["select", "with", "values", "table"];
    cursor.sees_kind(Kind::LeftParen)
        && cursor.peek_at(1).is_some_and(|token| token.kind.is_identifier())
        && !query.iter().any(|word| cursor.sees_at(1, word))
}

fn is_analyze(sql: &[u8], name: Token) -> bool {
    name.identifier(sql).is_some_and(|name| matches!(name.as_ref(), "analyze" | "analyse"))
}

/// Whether an option's value turns it off; anything doubtful leaves it on.
fn is_off(sql: &[u8], value: &[Token]) -> bool {
    let [value] = value else {
        return false;
    };
    let text = match value.string_value(sql) {
        Some(text) => text.to_ascii_lowercase(),
        None => value.text(sql).to_ascii_lowercase(),
    };
    matches!(text.as_slice(), b"off" | b"false" | b"0")
}

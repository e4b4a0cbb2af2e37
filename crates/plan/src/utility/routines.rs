//! DO and CALL: code that runs at home, where no logical table is whole.

use herd_types::ClientError;

use crate::cursor::Cursor;
use crate::lex::Token;
use crate::{Context, Effects, Plan, Target, effects, named};

/// The body runs at home; it may not speak of tables that do not lie there.
pub(super) fn understand_do(
    cursor: Cursor<'_>,
    context: &Context<'_>,
) -> Result<Plan, ClientError> {
    let mut effects = Effects::default();
    for body in cursor.rest().iter().filter_map(|token| token.string_value(cursor.sql())) {
        if let Some(table) = named::mentioned_in_body(&body, context) {
            return Err(named::refuse_table("DO", table));
        }
        effects = effects.and(effects::of_body(&body, context));
    }
    Ok(Plan { effects, ..Plan::forward(Target::Home, "code runs at home") })
}

/// The procedure's body is not seen; its arguments are.
pub(super) fn understand_call(
    sql: &[u8],
    tokens: &[Token],
    context: &Context<'_>,
) -> Result<Plan, ClientError> {
    let plan = named::home_only(sql, tokens, context)?;
    let probes = Effects { probes_settings: true, ..Effects::default() };
    Ok(Plan { effects: effects::of_statement(sql, tokens, context).and(probes), ..plan })
}

//! A whole statement: from its tokens to a plan.

use std::borrow::Cow;

use herd_types::{ClientError, SqlState};

use super::query::Env;
use super::{Analysis, unfragmented};
use crate::lex::{Token, position};
use crate::parse::{self, Unreadable};
use crate::route::{Need, Needs, key_columns};
use crate::{Action, Context, Effects, Forward, Plan, Slots, Target, named};

pub(super) fn understand(
    sql: &[u8],
    tokens: &[Token],
    slots: &Slots,
    context: &Context<'_>,
) -> Result<Plan, ClientError> {
    let inline = unfragmented::inlined(sql, tokens);
    let (mut exchange, mut dispatch) = (None, None);
    let (target, reasons) = if !names_table(sql, tokens, context) {
        unfragmented::target(sql, tokens, context)?
    } else if is_alone(context) {
        (Target::Home, vec!["the herd has one node".into()])
    } else {
        let query = match parse::parse(sql, tokens) {
            Ok(query) => query,
            Err(unreadable) => return unread(sql, tokens, context, unreadable),
        };
        let mut analysis = Analysis::new(sql, tokens, slots, context);
        let region = analysis.graph.add_region(None);
        analysis.query(&query, &Env { scope: None, ctes: None, region, locked: false });
        let needs = analysis.all_needs();
        let reasons = needs.iter().map(|need| reason(need, context)).collect();
        exchange = analysis.exchange(&query, tokens, &needs).filter(|_| inline.is_empty());
        dispatch = analysis.dispatch(&query, tokens, &needs).filter(|_| inline.is_empty());
        (target(needs), reasons)
    };
    let forward = Forward { target, inline, exchange, dispatch };
    Ok(Plan { action: Action::Forward(forward), effects: Effects::default(), reasons })
}

/// Whether any identifier is the name of a logical table or fragment, in whatever schema.
fn names_table(sql: &[u8], tokens: &[Token], context: &Context<'_>) -> bool {
    let knows =
        |token: &Token| token.identifier(sql).is_some_and(|name| context.catalog.knows_name(&name));
    context.catalog.has_tables() && tokens.iter().any(knows)
}

/// With one node there is no question.
fn is_alone(context: &Context<'_>) -> bool {
    let catalog = context.catalog;
    catalog.data_nodes().all(|node| node.id == catalog.home())
}

fn target(needs: Vec<Need>) -> Target {
    match needs.as_slice() {
        [] => Target::Everywhere,
        needs if needs.iter().all(|need| matches!(need, Need::Home(_))) => Target::Home,
        _ => Target::Needs(Needs(needs.into())),
    }
}

/// What cannot be read goes to home, if it names no table that is elsewhere.
fn unread(
    sql: &[u8],
    tokens: &[Token],
    context: &Context<'_>,
    unreadable: Unreadable,
) -> Result<Plan, ClientError> {
    let Some(mention) = named::first_mention(sql, tokens, context) else {
        return Ok(Plan::forward(Target::Home, "names no fragmented or reference table"));
    };
    let Unreadable { at, what } = unreadable;
    let table = &mention.table.name.name;
    let detail = match at.and_then(|at| tokens.iter().find(|token| token.start >= at)) {
        Some(token) => {
            let text = String::from_utf8_lossy(token.text(sql)).into_owned();
            format!("It names table \"{table}\", and is not understood at \"{text}\" ({what}).")
        }
        None => format!("It names table \"{table}\", and is not understood ({what})."),
    };
    let error =
        ClientError::error(SqlState::FEATURE_NOT_SUPPORTED, "Herd cannot read this statement");
    let place = at.map_or(mention.offset, |at| at as usize);
    Err(error.with_detail(detail).at(position(sql, place)))
}

/// A need in a few words.
fn reason(need: &Need, context: &Context<'_>) -> Cow<'static, str> {
    match need {
        Need::Home(what) => format!("{what} is at home").into(),
        Need::Keys(route) => {
            let columns = context.catalog.table(route.table).map(|table| key_columns(table));
            let columns = columns.unwrap_or_default();
            let verb = if route.stored { "stores" } else { "by" };
            format!("\"{}\" {verb} key {columns}", route.name).into()
        }
        Need::Whole(whole) => format!("all of \"{}\": {}", whole.name, whole.why).into(),
        Need::Fragment(id) => {
            let name = context.catalog.fragment(*id).map_or("", |each| &each.name.name);
            format!("fragment \"{name}\"").into()
        }
        Need::Herd(beyond) => beyond.message.clone(),
    }
}

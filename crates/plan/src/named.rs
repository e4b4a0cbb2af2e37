//! Which logical tables a statement names, for those of which only the tokens are understood.

use herd_catalog::{Resolved, Table, TableKind};
use herd_types::ClientError;

use crate::cursor::{Cursor, Name};
use crate::lex::{Kind, Token, position};
use crate::{Action, Context, Forward, Plan, Target};

/// A logical table, or a fragment of one, that a statement may be speaking of.
pub(crate) struct Mention<'a> {
    pub(crate) table: &'a Table,
    /// Where it is named.
    pub(crate) offset: usize,
}

/// The plan of a statement whose every effect is where home tables are: home, unless it names
/// what is elsewhere.
pub(crate) fn home_only(
    sql: &[u8],
    tokens: &[Token],
    context: &Context<'_>,
) -> Result<Plan, ClientError> {
    match first_mention(sql, tokens, context) {
        Some(mention) => Err(refuse(sql, tokens, &mention)),
        None => Ok(Plan::forward(Target::Home, "names no fragmented or reference table")),
    }
}

/// The first identifier that resolves to a logical table. A column of the same name counts too:
/// without a grammar the two cannot be told apart.
pub(crate) fn first_mention<'a>(
    sql: &[u8],
    tokens: &[Token],
    context: &Context<'a>,
) -> Option<Mention<'a>> {
    if !context.catalog.has_tables() {
        return None;
    }
    let is_dot = |n: usize| tokens.get(n).is_some_and(|token| token.kind == Kind::Dot);
    tokens.iter().enumerate().find_map(|(n, token)| {
        let name = token.identifier(sql)?;
        let after_dot = tokens.get(n + 2).filter(|_| is_dot(n + 1));
        let qualified = after_dot.and_then(|token| token.identifier(sql));
        let in_schema = qualified.and_then(|table| resolve(context, Some(&name), &table));
        let alone = || if n > 0 && is_dot(n - 1) { None } else { resolve(context, None, &name) };
        let table = in_schema.or_else(alone)?;
        Some(Mention { table, offset: token.start as usize })
    })
}

fn resolve<'a>(context: &Context<'a>, schema: Option<&str>, name: &str) -> Option<&'a Table> {
    match context.catalog.resolve(context.search_path, schema, name) {
        Resolved::Logical(table) | Resolved::Fragment(table) => Some(table),
        Resolved::Home => None,
    }
}

/// Whether text that a server will run later, a DO body or the like, may speak of a logical
/// table: its words are compared with the names of tables in any schema, in strings and comments
/// too.
pub(crate) fn mentioned_in_body<'a>(body: &[u8], context: &Context<'a>) -> Option<&'a Table> {
    let mentions = |name: &str| {
        let plain = name.bytes().all(is_word_byte);
        if plain {
            let mut words = body.split(|&byte| !is_word_byte(byte));
            words.any(|word| word.eq_ignore_ascii_case(name.as_bytes()))
        } else {
            memchr::memmem::find(body, name.as_bytes()).is_some()
        }
    };
    let tables = context.catalog.tables();
    tables.map(|table| &**table).find(|table| {
        let fragments = table.fragmentation().map_or(&[][..], |cut| cut.fragments());
        mentions(&table.name.name) || fragments.iter().any(|part| mentions(&part.name.name))
    })
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..)
}

/// Refuses SELECT … INTO a new table that shares its unqualified name with a logical table: which
/// of the two a later statement means could not be told.
pub(crate) fn check_into(
    sql: &[u8],
    tokens: &[Token],
    context: &Context<'_>,
) -> Result<(), ClientError> {
    for (n, into) in tokens.iter().enumerate().filter(|(_, token)| token.is_word(sql, "into")) {
        let before = n.checked_sub(1).map(|before| tokens[before]);
        let is = |word| before.is_some_and(|before| before.is_word(sql, word));
        if is("insert") || is("merge") {
            continue;
        }
        let mut cursor = Cursor::new(sql, &tokens[n + 1..]);
        cursor.one_of(&["local", "global"]);
        cursor.one_of(&["temp", "temporary", "unlogged"]);
        cursor.word("table");
        let known = |name: &Name<'_>| context.catalog.knows_name(&name.name);
        if let Some(name) = cursor.name().filter(known) {
            let message = format!("SELECT INTO cannot make a table called \"{}\"", name.name);
            return Err(ClientError::unsupported(message)
                .with_detail("A table that lies on several nodes has this name.")
                .with_hint("Choose another name, or use INSERT INTO … SELECT.")
                .at(position(sql, into.start as usize)));
        }
    }
    Ok(())
}

/// The refusal of a statement that is not understood and names a logical table.
pub(crate) fn refuse(sql: &[u8], tokens: &[Token], mention: &Mention<'_>) -> ClientError {
    let command = tokens.first().map_or(&b""[..], |token| token.text(sql));
    let command = String::from_utf8_lossy(command).to_uppercase();
    refuse_table(&command, mention.table).at(position(sql, mention.offset))
}

pub(crate) fn refuse_table(command: &str, table: &Table) -> ClientError {
    let kind = match table.kind {
        TableKind::Reference => "reference",
        TableKind::Fragmented(_) => "fragmented",
    };
    let message = format!("{command} cannot be used with {kind} table \"{}\"", table.name.name);
    ClientError::unsupported(message)
        .with_detail("The table does not lie on one node alone, and this statement runs on one.")
}

impl Plan {
    pub(crate) fn forward(target: Target, reason: &'static str) -> Plan {
        let forward = Forward::to(target);
        Plan::new(Action::Forward(forward), reason)
    }
}

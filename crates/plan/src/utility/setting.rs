//! SET in all spellings, RESET and DISCARD.

use herd_types::ClientError;

use crate::cursor::Cursor;
use crate::lex::{Kind, Token};
use crate::readable::{check_computed_setting, check_setting};
use crate::{Action, Plan, SettingCommand, Target};

/// What SET gives a setting.
enum Value {
    /// `None` when only the server can tell.
    List(Option<Vec<String>>),
    Default,
}

struct Assignment {
    name: String,
    value: Value,
}

/// `None` when it is not in PostgreSQL's grammar.
pub(super) fn understand_set(mut cursor: Cursor<'_>) -> Result<Option<Plan>, ClientError> {
    if !names_setting(cursor) && cursor.word("constraints") {
        return Ok(Some(plan(SettingCommand::Local)));
    }
    let local = !names_setting(cursor) && cursor.word("local");
    if !local && !names_setting(cursor) && !is_session_phrase(cursor) {
        cursor.word("session");
    }
    if cursor.words(&["session", "characteristics", "as", "transaction"]) {
        return Ok(Some(plan(SettingCommand::Characteristics)));
    }
    if !names_setting(cursor) && cursor.word("transaction") {
        // A snapshot's name means something on the node that exported it.
        return Ok(Some(if cursor.word("snapshot") {
            Plan::forward(Target::Home, "snapshots are exported at home")
        } else {
            plan(SettingCommand::Local)
        }));
    }
    let Some(assignment) = read_assignment(&mut cursor) else {
        return Ok(None);
    };
    assignment.check()?;
    Ok(Some(plan(assignment.command(local))))
}

pub(super) fn understand_reset(mut cursor: Cursor<'_>) -> Option<Plan> {
    let command = if cursor.word("all") {
        SettingCommand::ResetAll
    } else if cursor.words(&["time", "zone"]) {
        SettingCommand::Reset { name: "timezone".to_owned() }
    } else if cursor.words(&["session", "authorization"]) {
        SettingCommand::Reset { name: "session_authorization".to_owned() }
    } else if cursor.words(&["transaction", "isolation", "level"]) {
        SettingCommand::Local
    } else {
        let name = setting_name(&mut cursor)?;
        Assignment { name, value: Value::Default }.command(false)
    };
    cursor.is_done().then(|| plan(command))
}

pub(super) fn understand_discard(mut cursor: Cursor<'_>) -> Option<Plan> {
    let command = match cursor.one_of(&["all", "plans", "sequences", "temp", "temporary"])? {
        "all" => SettingCommand::DiscardAll,
        _ => SettingCommand::Discard,
    };
    cursor.is_done().then(|| plan(command))
}

impl Assignment {
    fn new(name: &str, value: Value) -> Assignment {
        Assignment { name: name.to_owned(), value }
    }

    fn check(&self) -> Result<(), ClientError> {
        match &self.value {
            Value::Default => Ok(()),
            Value::List(Some(values)) if values.len() == 1 => check_setting(&self.name, &values[0]),
            Value::List(_) => check_computed_setting(&self.name),
        }
    }

    fn command(self, local: bool) -> SettingCommand {
        let Assignment { name, value } = self;
        // These are the current transaction's, in whatever words they are set.
        let transaction = ["transaction_isolation", "transaction_read_only"];
        if transaction.contains(&name.as_str()) || name == "transaction_deferrable" {
            return SettingCommand::Local;
        }
        let value = match value {
            Value::List(Some(values)) if name == "role" && values == ["none"] => Value::Default,
            value => value,
        };
        match (value, local) {
            (Value::List(values), false) => SettingCommand::Set { name, values },
            (Value::List(values), true) => SettingCommand::SetLocal { name, values },
            (Value::Default, false) => SettingCommand::Reset { name },
            (Value::Default, true) => SettingCommand::ResetLocal { name },
        }
    }
}

/// Whether what comes is the name of a setting and not a keyword, whatever its spelling:
/// `SET local.x = 1`, `SET session TO …`.
fn names_setting(cursor: Cursor<'_>) -> bool {
    let Some(after) = cursor.peek_at(1) else {
        return false;
    };
    after.kind == Kind::Dot
        || after.is_operator(cursor.sql(), "=")
        || cursor.sees_at(1, "to")
        || cursor.sees_at(1, "from")
}

fn is_session_phrase(cursor: Cursor<'_>) -> bool {
    cursor.sees("session")
        && (cursor.sees_at(1, "authorization") || cursor.sees_at(1, "characteristics"))
}

/// Everything after SET [SESSION | LOCAL] that assigns to one setting.
fn read_assignment(cursor: &mut Cursor<'_>) -> Option<Assignment> {
    let assignment = if names_setting(*cursor) {
        generic(cursor)
    } else if cursor.words(&["time", "zone"]) {
        time_zone(cursor)
    } else if cursor.word("schema") {
        one_string("search_path", cursor)
    } else if cursor.word("names") {
        names(cursor)
    } else if cursor.word("role") {
        Some(Assignment::new("role", Value::List(Some(vec![word_or_string(cursor)?]))))
    } else if cursor.words(&["session", "authorization"]) {
        session_authorization(cursor)
    } else if cursor.words(&["xml", "option"]) {
        let option = cursor.one_of(&["document", "content"])?;
        Some(Assignment::new("xmloption", Value::List(Some(vec![option.to_uppercase()]))))
    } else {
        generic(cursor)
    };
    assignment.filter(|_| cursor.is_done())
}

/// `name {= | TO} {DEFAULT | value, …}` or `name FROM CURRENT`.
fn generic(cursor: &mut Cursor<'_>) -> Option<Assignment> {
    let name = setting_name(cursor)?;
    if cursor.words(&["from", "current"]) {
        return Some(Assignment { name, value: Value::List(None) });
    }
    if !cursor.word("to") && !cursor.operator("=") {
        return None;
    }
    if cursor.word("default") {
        return Some(Assignment { name, value: Value::Default });
    }
    let mut values = Vec::new();
    loop {
        values.push(value(cursor)?);
        if cursor.kind(Kind::Comma).is_none() {
            let values = values.into_iter().collect();
            return Some(Assignment { name, value: Value::List(values) });
        }
    }
}

/// Settings are found by names in any case, even if quoted.
fn setting_name(cursor: &mut Cursor<'_>) -> Option<String> {
    let mut name = cursor.identifier()?.to_ascii_lowercase();
    while cursor.kind(Kind::Dot).is_some() {
        name.push('.');
        name.push_str(&cursor.identifier()?.to_ascii_lowercase());
    }
    Some(name)
}

/// One value; the inner `None` stands for one that is no valid text.
fn value(cursor: &mut Cursor<'_>) -> Option<Option<String>> {
    let sign = if cursor.operator("-") { "-" } else { "" };
    if sign == "-" || cursor.operator("+") {
        return Some(Some(format!("{sign}{}", number(cursor)?)));
    }
    let token = cursor.peek()?;
    if let Some(text) = token.string_value(cursor.sql()) {
        cursor.advance();
        return Some(String::from_utf8(text.into_owned()).ok());
    }
    if token.kind.is_string() {
        cursor.advance();
        return Some(None);
    }
    match cursor.identifier() {
        Some(word) => Some(Some(word.into_owned())),
        None => number(cursor).map(Some),
    }
}

fn number(cursor: &mut Cursor<'_>) -> Option<String> {
    let is_number = |token: &Token| matches!(token.kind, Kind::Integer | Kind::Decimal);
    let token = cursor.peek().filter(is_number)?;
    cursor.advance();
    String::from_utf8(token.text(cursor.sql()).to_vec()).ok()
}

fn time_zone(cursor: &mut Cursor<'_>) -> Option<Assignment> {
    let value = if cursor.one_of(&["default", "local"]).is_some() {
        Value::Default
    } else if cursor.word("interval") {
        // INTERVAL [(precision)] 'text' [fields]
        cursor.parenthesised();
        cursor.string()?;
        while cursor.kind(Kind::Word).is_some() {}
        cursor.parenthesised();
        Value::List(None)
    } else {
        Value::List(value(cursor)?.map(|zone| vec![zone]))
    };
    Some(Assignment::new("timezone", value))
}

fn names(cursor: &mut Cursor<'_>) -> Option<Assignment> {
    if cursor.is_done() || cursor.word("default") {
        return Some(Assignment::new("client_encoding", Value::Default));
    }
    one_string("client_encoding", cursor)
}

fn session_authorization(cursor: &mut Cursor<'_>) -> Option<Assignment> {
    let value = if cursor.word("default") {
        Value::Default
    } else {
        Value::List(Some(vec![word_or_string(cursor)?]))
    };
    Some(Assignment::new("session_authorization", value))
}

fn one_string(name: &str, cursor: &mut Cursor<'_>) -> Option<Assignment> {
    let value = String::from_utf8(cursor.string()?.into_owned()).ok();
    Some(Assignment::new(name, Value::List(value.map(|value| vec![value]))))
}

fn word_or_string(cursor: &mut Cursor<'_>) -> Option<String> {
    match cursor.identifier() {
        Some(word) => Some(word.into_owned()),
        None => String::from_utf8(cursor.string()?.into_owned()).ok(),
    }
}

fn plan(command: SettingCommand) -> Plan {
    Plan::new(Action::Setting(command), "changes the session's settings")
}

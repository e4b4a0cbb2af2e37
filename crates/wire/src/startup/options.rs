//! The `options` parameter: a command line of `-c name=value` and `--name=value`.

use herd_types::{ClientError, SqlState};

/// The settings that `options` asks for, in their order.
pub(super) fn read(options: &str) -> Result<Vec<(String, String)>, ClientError> {
    let mut settings = Vec::new();
    let mut words = words(options).into_iter();
    while let Some(word) = words.next() {
        let assignment = match (word.strip_prefix("--"), word.strip_prefix("-c")) {
            (Some(long), _) if !long.is_empty() => long.to_owned(),
            (_, Some("")) => words.next().ok_or_else(|| needs_value(&word))?,
            (_, Some(attached)) => attached.to_owned(),
            _ => return Err(invalid_argument(&word)),
        };
        let (name, value) = assignment.split_once('=').ok_or_else(|| needs_value(&assignment))?;
        settings.push((setting_name(&name.replace('-', "_"))?, value.to_owned()));
    }
    Ok(settings)
}

/// Words between blanks; a backslash takes the next character as it is.
fn words(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = None;
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' => words.extend(word.take()),
            '\\' => word.get_or_insert_with(String::new).extend(characters.next()),
            _ => word.get_or_insert_with(String::new).push(character),
        }
    }
    words.extend(word);
    words
}

/// A name that a setting can have: identifiers joined by dots. Whether it exists, a node knows.
pub(super) fn setting_name(name: &str) -> Result<String, ClientError> {
    let part_is_valid = |part: &str| {
        let mut characters = part.chars();
        characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
            && characters.all(|next| next.is_alphanumeric() || matches!(next, '_' | '$'))
    };
    if name.split('.').all(part_is_valid) {
        return Ok(name.to_owned());
    }
    Err(ClientError::fatal(
        SqlState::UNDEFINED_OBJECT,
        format!("unrecognized configuration parameter \"{name}\""),
    ))
}

/// The ways in which PostgreSQL reads a boolean as off.
pub(super) fn is_off(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let abbreviates = |word: &str, least: usize| value.len() >= least && word.starts_with(&value);
    value == "0" || abbreviates("off", 2) || abbreviates("false", 1) || abbreviates("no", 1)
}

fn needs_value(argument: &str) -> ClientError {
    ClientError::fatal(SqlState::SYNTAX_ERROR, format!("{argument} requires a value"))
}

fn invalid_argument(argument: &str) -> ClientError {
    ClientError::fatal(
        SqlState::SYNTAX_ERROR,
        format!("invalid command-line argument for server process: {argument}"),
    )
    .with_hint("In options, only -c name=value and --name=value are understood.")
}

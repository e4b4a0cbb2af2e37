//! Bodies in languages that Herd does not read: judged by their words, wherever these stand.

use super::{Code, Mentions};
use crate::effects::SESSION_LOCKS;
use crate::{Effects, PinReason};

/// Words that change a session in SQL, or hold what the language itself keeps for a session.
const DANGEROUS: [(&str, PinReason); 13] = [
    ("temp", PinReason::TemporaryTable),
    ("temporary", PinReason::TemporaryTable),
    ("pg_temp", PinReason::TemporaryTable),
    ("listen", PinReason::Listen),
    ("hold", PinReason::HeldCursor),
    ("load", PinReason::LoadedLibrary),
    ("set_config", PinReason::CustomSetting),
    ("reset", PinReason::CustomSetting),
    ("deallocate", PinReason::PreparedStatement),
    ("role", PinReason::Role),
    ("authorization", PinReason::Role),
    ("_shared", PinReason::UnreadCode),
    ("gd", PinReason::UnreadCode),
];
/// What runs a text, if it is not one that can be seen.
const RUNS_TEXT: [&str; 6] =
    ["execute", "prepare", "spi_exec_query", "spi_query", "spi_prepare", "spi_exec"];
/// Between UPDATE and its SET: a schema, a table, AS and an alias.
const NAMES_OF_UPDATE_MAX: usize = 4;
const WRITES: [&str; 6] = ["insert", "update", "delete", "merge", "truncate", "copy"];

pub(super) fn read(body: &[u8]) -> Code {
    let mut effects = Effects::NONE;
    let mut mentions = Mentions::default();
    let mut at = 0;
    let mut words_since_update = usize::MAX;
    for word in body.split(|&byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | 0x80..)))
    {
        at += word.len();
        let after = &body[at..];
        at += 1;
        if word.is_empty() {
            continue;
        }
        let word = String::from_utf8_lossy(word).into_owned();
        let lower = word.to_ascii_lowercase();
        let reason = reason_for(&lower, after);
        effects = effects.and(reason.map_or(Effects::NONE, Effects::pinned));
        let is_of_update = words_since_update <= NAMES_OF_UPDATE_MAX || after.starts_with(b"(");
        if lower == "set" && !is_of_update {
            effects = effects.and(Effects::pinned(PinReason::CustomSetting));
        }
        let is_update = lower == "update";
        words_since_update = if is_update { 0 } else { words_since_update.saturating_add(1) };
        effects.probes_settings |= ["set", "set_config", "reset"].contains(&lower.as_str());
        effects.uses_sequences |= ["currval", "lastval"].contains(&lower.as_str());
        mentions.writes |= WRITES.contains(&lower.as_str());
        mentions.called.insert(lower.clone());
        mentions.named.insert(lower.clone());
        mentions.called.insert(word.clone());
        mentions.named.insert(word);
    }
    let is_unread = effects.pin == Some(PinReason::UnreadCode);
    effects.probes_settings |= is_unread || mentions.changes_settings();
    Code { effects, mentions }
}

fn reason_for(word: &str, after: &[u8]) -> Option<PinReason> {
    if let Some((_, reason)) = DANGEROUS.iter().find(|(dangerous, _)| *dangerous == word) {
        return Some(reason.clone());
    }
    if SESSION_LOCKS.contains(&word) {
        return Some(PinReason::AdvisoryLock);
    }
    let runs_unseen = RUNS_TEXT.contains(&word) && !opens_with_literal(after);
    runs_unseen.then_some(PinReason::UnreadCode)
}

fn opens_with_literal(after: &[u8]) -> bool {
    let mut rest = after.trim_ascii_start();
    rest = rest.strip_prefix(b"(").unwrap_or(rest).trim_ascii_start();
    matches!(rest.first(), Some(b'\'' | b'"' | b'`'))
}

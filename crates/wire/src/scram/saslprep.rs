//! SASLprep (RFC 4013) exactly as PostgreSQL does it, so that verifiers agree.
//!
//! PostgreSQL looks for what is prohibited before it normalises, where the RFC says after, and
//! takes a password that cannot be prepared as it is.

use std::borrow::Cow;

use stringprep::tables;
use unicode_normalization::UnicodeNormalization;

/// A password as SCRAM hashes it.
pub(super) fn prepare(password: &str) -> Cow<'_, str> {
    if password.is_ascii() {
        return password.into();
    }
    let mapped: String = password
        .chars()
        .filter(|&c| !tables::commonly_mapped_to_nothing(c))
        .map(|c| if tables::non_ascii_space_character(c) { ' ' } else { c })
        .collect();
    let is_allowed = |c| !is_prohibited(c) && !tables::unassigned_code_point(c);
    if mapped.is_empty() || !mapped.chars().all(is_allowed) || !is_one_directional(&mapped) {
        return password.into();
    }
    mapped.nfkc().collect()
}

fn is_prohibited(c: char) -> bool {
    tables::non_ascii_space_character(c)
        || tables::ascii_control_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::surrogate_code(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::inappropriate_for_canonical_representation(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
}

/// Text with a right-to-left character must have no left-to-right one, and begin and end with one.
fn is_one_directional(text: &str) -> bool {
    if !text.contains(tables::bidi_r_or_al) {
        return true;
    }
    !text.contains(tables::bidi_l)
        && text.starts_with(tables::bidi_r_or_al)
        && text.ends_with(tables::bidi_r_or_al)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_prepared_is_normalised_and_what_cannot_is_left_alone() {
        for (password, prepared) in [
            ("I\u{ad}X", "IX"),
            ("\u{2168}", "IX"),
            ("a\u{a0}b", "a b"),
            ("\u{7}", "\u{7}"),
            ("é\u{7}", "é\u{7}"),
            ("\u{ad}", "\u{ad}"),
            ("\u{627}1", "\u{627}1"),
            ("\u{340}x", "\u{340}x"),
            ("\u{1f600}", "\u{1f600}"),
        ] {
            assert_eq!(prepare(password), prepared, "{password:?}");
        }
    }
}

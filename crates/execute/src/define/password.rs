//! Passwords in CREATE and ALTER ROLE: every node gets the same verifier, so that a client which
//! has logged in to one can be logged in to all.

use herd_plan::ddl::{Script, Statement};
use herd_plan::lex;
use herd_wire::scram::ScramVerifier;

/// Replaces the password of all statements, which is the same one, by one verifier.
pub(super) fn fill_in(script: &mut Script) {
    let mut verifier = None;
    for statement in script.nodes.values_mut().flatten() {
        let Some(span) = statement.password.take() else {
            continue;
        };
        let filled = verifier.get_or_insert_with(|| verifier_of(&statement.sql[span.clone()]));
        if let Some(text) = filled {
            let Statement { sql, .. } = statement;
            sql.replace_range(span, text);
        }
    }
}

/// The literal of a verifier; `None`: the password is one already, or not to be understood.
fn verifier_of(literal: &str) -> Option<String> {
    let token = lex::tokens(literal.as_bytes()).ok()?.first().copied()?;
    let password = token.string_value(literal.as_bytes())?;
    let password = std::str::from_utf8(&password).ok()?;
    let is_stored = password.starts_with("SCRAM-SHA-256$")
        || (password.starts_with("md5") && password.len() == 35);
    // PostgreSQL takes an empty password for none.
    let is_kept = is_stored || password.is_empty();
    (!is_kept).then(|| format!("'{}'", ScramVerifier::make(password).to_text()))
}

#[cfg(test)]
mod tests {
    use herd_types::NodeId;

    use super::*;

    fn filled(literal: &str) -> Vec<String> {
        let sql = format!("ALTER ROLE r PASSWORD {literal}");
        let password = Some(sql.len() - literal.len()..sql.len());
        let statement = Statement { password, ..Statement::from(sql) };
        let mut script = Script::default();
        script.on_each(&[NodeId(1), NodeId(2)], statement);
        fill_in(&mut script);
        script.nodes.into_values().flatten().map(|statement| statement.sql).collect()
    }

    #[test]
    fn all_nodes_get_the_same_verifier_and_never_the_password() {
        let [one, other] = filled("'se''cret'").try_into().unwrap();
        assert_eq!(one, other);
        assert!(one.starts_with("ALTER ROLE r PASSWORD 'SCRAM-SHA-256$4096:"), "{one}");
        assert!(!one.contains("cret"));
    }

    #[test]
    fn what_is_a_verifier_already_stays() {
        let md5 = "'md50123456789abcdef0123456789abcdef'";
        assert!(filled(md5).iter().all(|sql| sql.ends_with(md5)));
        let scram = filled("'x'")[0].replace("ALTER ROLE r PASSWORD ", "");
        assert!(filled(&scram).iter().all(|sql| sql.ends_with(&scram)));
        assert!(filled("''").iter().all(|sql| sql.ends_with("''")));
    }
}

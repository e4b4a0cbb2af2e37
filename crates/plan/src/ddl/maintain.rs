//! VACUUM and ANALYZE: of any tables at once, on every node that has them, or of everything.

use std::ops::Range;

use herd_types::NodeId;

use super::definition::{Definition, Procedure, Script};
use super::request::{Named, Request};
use super::splice::Splice;
use super::{Outcome, Planned};
use crate::cursor::{Cursor, Name};
use crate::lex::Kind;

/// Plans what follows the command, which is `tag` in lower case.
pub fn plan(request: &Request<'_>, mut cursor: Cursor<'_>, tag: &str) -> Planned {
    cursor.parenthesised();
    while cursor.one_of(&["full", "freeze", "verbose", "analyze", "analyse"]).is_some() {}
    if cursor.is_done() {
        return match request.catalog.has_tables() {
            true => Ok(each_node(tag, "", everywhere(request, &request.all_nodes()?))),
            false => request.at_home(),
        };
    }
    let list = cursor.offset();
    let Some(items) = read_items(&mut cursor).filter(|_| cursor.is_done()) else {
        return request.at_home();
    };
    let names = items.iter().map(|item| item.name.clone()).collect::<Vec<_>>();
    request.ask_known(&names)?;
    let named =
        names.iter().map(|name| request.table_named(name)).collect::<Result<Vec<_>, _>>()?;
    if named.iter().all(|named| matches!(named, Named::Nothing | Named::Home)) {
        return request.at_home();
    }
    let end = request.span().end;
    let mut script = Script::default();
    for node in request.all_nodes()? {
        let mine = items.iter().zip(&named).filter(|(_, named)| request.is_on(named, node));
        let mine = mine.map(|(item, _)| &request.sql[item.span.clone()]).collect::<Vec<_>>();
        if !mine.is_empty() {
            let mut splice = Splice::new(request.sql);
            splice.replace(list..end, mine.join(", "));
            script.on(node, splice.render(request.span()));
        }
    }
    let what = names.iter().map(|name| name.name.as_ref()).collect::<Vec<_>>().join(", ");
    Ok(each_node(tag, &what, script))
}

/// `[ONLY] name [*] [(column, …)]`
struct Item<'a> {
    name: Name<'a>,
    span: Range<usize>,
}

fn read_items<'a>(cursor: &mut Cursor<'a>) -> Option<Vec<Item<'a>>> {
    let mut items = Vec::new();
    loop {
        let start = cursor.offset();
        cursor.word("only");
        let name = cursor.name()?;
        cursor.operator("*");
        cursor.parenthesised();
        items.push(Item { name, span: start..cursor.end() });
        if cursor.kind(Kind::Comma).is_none() {
            return Some(items);
        }
    }
}

fn everywhere(request: &Request<'_>, nodes: &[NodeId]) -> Script {
    let mut script = Script::default();
    script.on_each(nodes, request.text());
    script
}

fn each_node(tag: &str, what: &str, script: Script) -> Outcome {
    Outcome::Define(Box::new(Definition {
        tag: tag.to_owned(),
        summary: format!("{tag} {what}").trim_end().to_owned(),
        procedure: Procedure::EachNode(script),
        notices: Vec::new(),
    }))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};
    use herd_catalog::SearchPath;

    use super::plan;
    use crate::ddl::request::Request;
    use crate::ddl::{Facts, Outcome, Question, Stop};
    use crate::{fixture, lex};

    fn check(sql: &str, tag: &str, expected: Expect) {
        let catalog = fixture::catalog();
        let search_path = SearchPath::default_for("herd");
        let tokens = lex::tokens(sql.as_bytes()).unwrap();
        let mut facts = Facts::default();
        let outcome = loop {
            let request = Request {
                sql,
                tokens: &tokens,
                catalog: &catalog,
                search_path: &search_path,
                auto_fragment: None,
                facts: &facts,
            };
            let mut cursor = request.cursor();
            cursor.advance();
            match plan(&request, cursor, tag) {
                Err(Stop::Ask(questions)) => questions.into_iter().for_each(|question| {
                    let Question::Relation { name, .. } = &question else {
                        panic!("{question:?}");
                    };
                    let row = ["public", name, "r"].map(|text| Some(text.to_owned()));
                    facts.learn(question, vec![[&row[..], &[None, None]].concat()]);
                }),
                other => break other.unwrap(),
            }
        };
        let mut actual = String::new();
        match outcome {
            Outcome::Home => actual.push_str("home\n"),
            Outcome::Define(definition) => {
                for (node, statements) in &definition.procedure.script().nodes {
                    for statement in statements {
                        writeln!(actual, "{node}: {}", statement.sql).unwrap();
                    }
                }
            }
        }
        expected.assert_eq(&actual);
    }

    #[test]
    fn each_node_gets_the_tables_that_it_has() {
        check(
            "vacuum (analyze) users, t (a, b), country",
            "VACUUM",
            expect![[r#"
            node-1: vacuum (analyze) users, t (a, b), country
            node-2: vacuum (analyze) users, country
            node-3: vacuum (analyze) users, country
        "#]],
        );
        check(
            "ANALYZE VERBOSE users_1 (id), ONLY public.country * (code )",
            "ANALYZE",
            expect![[r#"
                node-1: ANALYZE VERBOSE ONLY public.country * (code )
                node-2: ANALYZE VERBOSE users_1 (id), ONLY public.country * (code )
                node-3: ANALYZE VERBOSE ONLY public.country * (code )
            "#]],
        );
        check(
            "vacuum full freeze verbose analyze t",
            "VACUUM",
            expect![[r#"
            home
        "#]],
        );
    }

    #[test]
    fn everything_is_on_every_node() {
        check(
            "ANALYZE",
            "ANALYZE",
            expect![[r#"
            node-1: ANALYZE
            node-2: ANALYZE
            node-3: ANALYZE
        "#]],
        );
        check(
            "VACUUM FULL",
            "VACUUM",
            expect![[r#"
            node-1: VACUUM FULL
            node-2: VACUUM FULL
            node-3: VACUUM FULL
        "#]],
        );
    }

    #[test]
    fn the_home_node_refuses_what_no_grammar_has() {
        check(
            "vacuum users,",
            "VACUUM",
            expect![[r#"
            home
        "#]],
        );
    }
}

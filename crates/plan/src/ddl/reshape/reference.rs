//! `herd.reference_table`: a table of the home node is copied to every other node. On the home node
//! it stays what it is.

use herd_catalog::{Change, KindSpec, TableSpec};

use super::Subject;
use super::changes::Changes;
use super::fragment::{add_foreign_key, catalog_column};
use super::names::Names;
use super::steps::{Placing, Reshape, Swap};
use super::twin::{Counts, Twin};
use crate::ddl::definition::{Observe, Publish, Script};
use crate::ddl::foreign_key::Referring;
use crate::ddl::request::Request;
use crate::ddl::{Stop, function};

pub fn plan(request: &Request<'_>, subject: &Subject) -> Result<Reshape, Stop> {
    let Subject { name, shape, .. } = subject;
    function::check_existing(request, &name.name, true)?;
    let columns = shape.columns.iter().map(catalog_column).collect();
    let spec = TableSpec { name: name.clone(), columns, kind: KindSpec::Reference };
    let next = request.foresee(&[Change::AddTable(spec.clone())])?;
    let id = next.table_named(name).expect("a table that was added has its name").id;

    let names = Names::new(name, id);
    let twin = Twin { table: name, names: &names, shape };
    let changes = Changes::new(name, &names, shape, &[]);
    let (sources, targets) = (vec![request.home()], request.other_nodes()?);
    let counts = Counts::Alike;

    let (mut begin, mut build, mut undo) =
        (Script::default(), Script::default(), Script::default());
    for &node in &targets {
        twin.create(&mut begin, node, &counts, None)?;
        twin.prepare(&mut begin, node);
        twin.build(&mut build, node);
    }
    changes.begin(&mut begin, &sources, &targets);
    changes.undo(&mut undo, &sources, &targets);
    twin.undo(&mut undo, &targets);

    let mut last = Script::default();
    changes.undo(&mut last, &sources, &targets);
    for &node in &targets {
        twin.rename(&mut last, node);
    }
    let from = Referring { name, cut: None, key: &[], primary_key: shape.primary_key() };
    let mut keys = Script::default();
    for (key, definition) in &shape.foreign_keys {
        add_foreign_key(request, &from, key, definition, &mut keys)?;
    }
    keys.nodes.remove(&request.home());
    for (node, statements) in keys.nodes {
        last.nodes.entry(node).or_default().extend(statements);
    }
    for &node in &targets {
        twin.complete(&mut last, node);
    }
    Ok(Reshape {
        function: subject.function,
        begin,
        copying: changes.copying(&sources, &targets, Placing::Everywhere),
        build,
        swap: Swap {
            table: name.clone(),
            locked: sources.clone(),
            described: subject.described.clone(),
            numbers: twin.numbers(&targets, &counts),
            script: last,
            publish: Publish {
                changes: vec![Change::AddTable(spec)],
                observe: Observe::Tables(vec![id]),
                shadows: true,
            },
        },
        undo,
    })
}

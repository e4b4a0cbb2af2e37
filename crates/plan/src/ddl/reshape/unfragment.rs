//! `herd.unfragment_table`: a fragmented table is brought together on the home node, and of a
//! reference table only the home node's copy stays.

use std::sync::Arc;

use herd_catalog::{Change, Fragmentation, Table};
use herd_types::ClientError;

use super::call::Call;
use super::changes::Changes;
use super::names::Names;
use super::shape::{self, Shape};
use super::steps::{Placing, Reshape, Swap};
use super::twin::{Counts, Twin};
use super::{Subject, answer};
use crate::ddl::definition::{Atomic, Procedure, Publish, Script};
use crate::ddl::foreign_key::{key_columns, witness};
use crate::ddl::request::Request;
use crate::ddl::serial::Stride;
use crate::ddl::{Planned, Stop};

pub fn plan(request: &Request<'_>, subject: &Subject, table: &Arc<Table>) -> Result<Reshape, Stop> {
    let Subject { name, .. } = subject;
    subject.shape.check_dependents(&name.name, subject.function)?;
    let cut = table.fragmentation().expect("only a fragmented table is brought together");
    let shape = &whole_shape(request, subject, cut)?;
    let names = Names::new(name, table.id);
    let twin = Twin { table: name, names: &names, shape };
    let changes = Changes::new(name, &names, shape, &key_columns(table, cut));
    let counts = Counts::Together(Stride::of(request.catalog));
    let nodes = request.all_nodes()?;
    let home = request.home();
    let (sources, targets) = (cut.nodes().to_vec(), vec![home]);

    let (mut begin, mut build, mut undo) =
        (Script::default(), Script::default(), Script::default());
    twin.create(&mut begin, home, &counts, None)?;
    twin.prepare(&mut begin, home);
    changes.begin(&mut begin, &sources, &targets);
    twin.build(&mut build, home);
    changes.undo(&mut undo, &sources, &targets);
    twin.undo(&mut undo, &targets);

    let mut last = Script::default();
    last.on_each(&nodes, format!("DROP TABLE {}", name.quoted()));
    changes.end(&mut last, &sources, &targets);
    twin.rename(&mut last, home);
    for (key, definition) in &shape.foreign_keys {
        let key = herd_catalog::quote_identifier(key);
        let table = name.quoted();
        last.on(home, format!("ALTER TABLE {table} ADD CONSTRAINT {key} {definition}"));
    }
    twin.complete(&mut last, home);
    Ok(Reshape {
        function: subject.function,
        begin,
        copying: changes.copying(&sources, &targets, Placing::Everywhere),
        build,
        swap: Swap {
            table: name.clone(),
            locked: nodes.clone(),
            described: subject.described.clone(),
            numbers: twin.numbers(&targets, &counts),
            script: last,
            publish: Publish {
                changes: vec![Change::DropTable(table.id)],
                shadows: true,
                ..Publish::default()
            },
        },
        undo,
    })
}

/// What the fragments have and the table itself has not: how rows are stored. Foreign keys between
/// fragments have no place in a whole table.
fn whole_shape(
    request: &Request<'_>,
    subject: &Subject,
    cut: &Fragmentation,
) -> Result<Shape, Stop> {
    let whole = subject.shape.clone();
    let Some((node, fragment)) = witness(cut) else { return Ok(whole) };
    let piece = Shape::read(request.facts.description(Some(node), fragment)?).unwrap_or_default();
    let keys = piece.foreign_keys.iter().map(|(name, _)| format!("foreign key {name}"));
    if let Some(key) = keys.chain(piece.dependents).next() {
        return Err(refuse_key(subject, &key).into());
    }
    let Shape { is_unlogged, with, using, tablespace, .. } = piece;
    Ok(Shape { is_unlogged, with, using, tablespace, ..whole })
}

/// Every node has all rows: the other nodes lose theirs.
pub fn plan_reference(request: &Request<'_>, call: &Call, table: &Arc<Table>) -> Planned {
    let mut script = Script::default();
    script.on_each(&request.other_nodes()?, format!("DROP TABLE {}", table.name.quoted()));
    let publish =
        Publish { changes: vec![Change::DropTable(table.id)], shadows: true, ..Publish::default() };
    let atomic = Procedure::Atomic(Atomic { script, publish });
    Ok(answer(call, &table.name, atomic))
}

fn refuse_key(subject: &Subject, key: &str) -> ClientError {
    shape::refused(&subject.name.name, subject.function)
        .with_detail(format!("There is {key}, which holds between fragments."))
        .with_hint("Drop the foreign key first.")
}

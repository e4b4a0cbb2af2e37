//! CREATE TABLE of a fragmented table: its parent on every node, each fragment on its own.

use herd_catalog::{Change, Fragment, Fragmentation, TableName, quote_identifier};
use herd_types::{ClientError, NodeId};

use super::cut::Cut;
use super::keys::ForeignKeys;
use super::spec::{foresee_spec, pin_placement, spec};
use crate::ddl::clauses::CreateTable;
use crate::ddl::definition::{Observe, Publish, Script};
use crate::ddl::elements::Element;
use crate::ddl::options::{Options, WithClause};
use crate::ddl::request::Request;
use crate::ddl::serial::{self, Stride};
use crate::ddl::serial_columns::Sequences;
use crate::ddl::splice::Splice;
use crate::ddl::types::DeclaredType;
use crate::ddl::{Outcome, Planned, Stop, bounds, function};

pub fn plan(
    request: &Request<'_>,
    create: &CreateTable<'_>,
    options: &Options,
    cut: Cut,
) -> Planned {
    let name = request.creation_name(&create.name)?;
    if !super::check_new(request, create, &name)? {
        return request.at_home();
    }
    check_elements(request, create)?;
    function::check_existing(request, &name.name, false)?;
    let family = options.family.as_deref();
    let spec = spec(request, create, &cut, family, &name)?;
    let table = foresee_spec(request, &spec)?;
    let Some(placed) = table.fragmentation() else {
        return request.at_home();
    };
    check_fragment_names(request, placed)?;
    let sequences = Sequences::choose(request, create, &name)?;
    let keys = ForeignKeys::decide(request, create, &cut, &name, placed)?;

    let mut script = Script::default();
    for node in request.all_nodes()? {
        sequences.create(&mut script, node, &Stride::of(request.catalog));
        script.on(node, parent_text(request, create, &cut, &sequences, &keys, node)?);
        for fragment in placed.fragments_on(node) {
            script.on(node, fragment_text(request, create, &name, fragment));
        }
        sequences.give_away(&mut script, node, &name);
    }
    keys.add(request, &mut script, placed);

    let publish = Publish {
        changes: vec![Change::AddTable(pin_placement(spec, placed))],
        observe: Observe::Tables(vec![table.id]),
        shadows: true,
    };
    let mut outcome = request.define(super::TAG, &name.to_string(), script, publish);
    if let (Outcome::Define(definition), Some(1..)) = (&mut outcome, options.replicas) {
        definition.notices.push(REPLICAS_NOTICE.to_owned());
    }
    Ok(outcome)
}

const REPLICAS_NOTICE: &str = "herd.replicas is accepted, but replicas of fragments are not kept \
                               yet: each fragment is on one node, and as safe as that node";

fn check_elements(request: &Request<'_>, create: &CreateTable<'_>) -> Result<(), ClientError> {
    if create.inherits.is_some() {
        return Err(super::invalid(
            "a fragmented table cannot inherit from another",
            "Write the columns out, or use LIKE with a table that is on every node.",
        ));
    }
    for (_, element) in create.elements() {
        match element {
            Element::Column(column) if serial::calls_nextval(request.sql.as_bytes(), column) => {
                return Err(serial::refuse_nextval(&column.name));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The home node must not have relations of its own that are called like fragments elsewhere.
pub fn check_fragment_names(request: &Request<'_>, placed: &Fragmentation) -> Result<(), Stop> {
    let Some(first) = placed.fragments().first() else {
        return Ok(());
    };
    let names = placed.fragments().iter().map(|fragment| fragment.name.name.clone()).collect();
    match request.facts.taken(&first.name.schema, names)?.first() {
        Some(taken) => Err(super::fragment::name_taken(taken).into()),
        None => Ok(()),
    }
}

/// The statement for the parent, which has no storage of its own.
fn parent_text(
    request: &Request<'_>,
    create: &CreateTable<'_>,
    cut: &Cut,
    sequences: &Sequences,
    keys: &ForeignKeys<'_>,
    node: NodeId,
) -> Result<String, ClientError> {
    let mut splice = Splice::new(request.sql);
    splice.cut(create.unlogged.clone());
    splice.cut(create.using.clone());
    if let Some(with) = &create.with {
        splice.cut(with.span.clone());
    }
    if cut.is_automatic {
        let key = cut.key.iter().map(|part| quote_identifier(&part.name)).collect::<Vec<_>>();
        splice.insert(create.body_end, format!(" PARTITION BY HASH ({})", key.join(", ")));
    }
    let stride = Stride::of(request.catalog);
    for (_, element) in create.elements() {
        let Element::Column(column) = element else {
            continue;
        };
        if let (DeclaredType::Serial(integer), Some(sequence)) =
            (&column.declared, sequences.of(&column.name))
        {
            let text = format!("{integer} {}", sequence.default_clause());
            splice.replace(column.type_span.clone(), text);
        }
        if let Some(identity) = &column.identity {
            stride.edit_identity(&mut splice, request.sql.as_bytes(), identity, node)?;
        }
    }
    keys.cut(&mut splice);
    Ok(splice.render(request.span()).trim_end().to_owned())
}

fn fragment_text(
    request: &Request<'_>,
    create: &CreateTable<'_>,
    parent: &TableName,
    fragment: &Fragment,
) -> String {
    let unlogged = if create.unlogged.is_empty() { "" } else { "UNLOGGED " };
    let using = match request.sql[create.using.clone()].trim() {
        "" => String::new(),
        using => format!(" {using}"),
    };
    let with = create.with.as_ref().map(|with: &WithClause| with.others_clause(request.sql));
    format!(
        "CREATE {unlogged}TABLE {} PARTITION OF {} {}{using}{}",
        fragment.name.quoted(),
        parent.quoted(),
        bounds::render(&fragment.bound),
        with.unwrap_or_default(),
    )
}

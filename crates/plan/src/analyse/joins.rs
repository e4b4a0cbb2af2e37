//! The joins of a FROM, and the regions that outer joins make.

use std::collections::HashSet;

use super::Analysis;
use super::graph::{Fact, Meaning, RegionId, RelationId};
use crate::statement::JoinKind;

/// The joins of a FROM.
#[derive(Debug)]
pub(super) enum Tree {
    Empty,
    Leaf(RelationId),
    Join(Box<JoinTree>),
    /// A join in parentheses, by its own name.
    Named(Box<Tree>, RelationId),
}

#[derive(Debug)]
pub(super) struct JoinTree {
    kind: JoinKind,
    left: Tree,
    right: Tree,
    /// What ON and USING say.
    facts: Vec<Fact>,
    /// For the subqueries in ON.
    inside: RegionId,
}

impl Tree {
    pub(super) fn leaf(relation: RelationId) -> Tree {
        Tree::Leaf(relation)
    }

    pub(super) fn inner(left: Tree, right: Tree, inside: RegionId) -> Tree {
        match (left, right) {
            (Tree::Empty, tree) | (tree, Tree::Empty) => tree,
            (left, right) => Tree::join(JoinKind::Inner, left, right, Vec::new(), inside),
        }
    }

    pub(super) fn join(
        kind: JoinKind,
        left: Tree,
        right: Tree,
        facts: Vec<Fact>,
        inside: RegionId,
    ) -> Tree {
        Tree::Join(Box::new(JoinTree { kind, left, right, facts, inside }))
    }

    fn has_any(&self, relations: &HashSet<RelationId>) -> bool {
        match self {
            Tree::Empty => false,
            Tree::Leaf(relation) => relations.contains(relation),
            Tree::Named(tree, relation) => relations.contains(relation) || tree.has_any(relations),
            Tree::Join(join) => join.left.has_any(relations) || join.right.has_any(relations),
        }
    }
}

impl Analysis<'_> {
    /// Puts the relations of a FROM into regions, once it is known what WHERE says.
    pub(super) fn place(&mut self, tree: Tree, region: RegionId, facts: Vec<Fact>) {
        let filled = self.never_null(&facts);
        self.add_facts(region, facts);
        self.place_in(tree, region, &filled);
    }

    /// `filled`: relations of which a NULL row would not survive.
    fn place_in(&mut self, tree: Tree, region: RegionId, filled: &HashSet<RelationId>) {
        let join = match tree {
            Tree::Empty => return,
            Tree::Leaf(relation) => return self.graph.place(relation, region),
            Tree::Named(tree, relation) => {
                self.graph.place(relation, region);
                self.graph.tie_to_inside(relation, region);
                return self.place_in(*tree, region, filled);
            }
            Tree::Join(join) => *join,
        };
        let fills_left = join.left.has_any(filled);
        let fills_right = join.right.has_any(filled);
        let JoinTree { kind, left, right, facts, inside } = join;
        match (kind, fills_left, fills_right) {
            (JoinKind::Inner, ..)
            | (JoinKind::Left, _, true)
            | (JoinKind::Right, true, _)
            | (JoinKind::Full, true, true) => {
                let mut filled = filled.clone();
                filled.extend(self.never_null(&facts));
                self.graph.put(inside, region);
                self.add_facts(region, facts);
                self.place_in(left, region, &filled);
                self.place_in(right, region, &filled);
            }
            (JoinKind::Left, _, false) | (JoinKind::Full, true, false) => {
                self.place_in(left, region, filled);
                self.place_nullable(right, region, facts, inside);
            }
            (JoinKind::Right, false, _) | (JoinKind::Full, false, true) => {
                self.place_in(right, region, filled);
                self.place_nullable(left, region, facts, inside);
            }
            (JoinKind::Full, false, false) => {
                for side in [left, right] {
                    let alone = self.graph.add_region(Some(region));
                    self.place(side, alone, Vec::new());
                }
                // The subqueries of ON count for pairs that satisfy the rest of it.
                self.graph.put(inside, region);
                self.add_facts(inside, facts);
            }
        }
    }

    /// The side of an outer join whose rows may be missing.
    fn place_nullable(&mut self, tree: Tree, around: RegionId, facts: Vec<Fact>, on: RegionId) {
        let region = self.graph.add_region(Some(around));
        self.graph.put(on, region);
        self.place(tree, region, facts);
    }

    fn add_facts(&mut self, region: RegionId, facts: Vec<Fact>) {
        facts.into_iter().for_each(|fact| self.graph.add_fact(region, fact));
    }

    /// The relations whose rows must be there for the facts to be true.
    fn never_null(&self, facts: &[Fact]) -> HashSet<RelationId> {
        let mut relations = HashSet::new();
        for fact in facts.iter().filter(|fact| fact.is_strict()) {
            for column in fact.columns() {
                let mut column = Some(column);
                while let Some(id) = column {
                    relations.insert(id.relation);
                    column = match self.graph.meaning(id) {
                        Meaning::Same(inner) => Some(*inner),
                        _ => None,
                    };
                }
            }
        }
        relations
    }
}

//! Our own small tree of a query or data-modifying statement: what placement depends on, and byte
//! spans into the text.
//!
//! It is no full grammar. An expression that says nothing of keys keeps only its operands, so
//! that every subquery, column and function call in a statement is found by walking the tree.

/// A name as the catalog spells it: folded, unquoted and truncated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    pub text: Box<str>,
    /// Where it starts in the text.
    pub at: u32,
}

/// `schema.table`, `table.column`, `function`: one to four parts.
pub type Path = Box<[Ident]>;

/// A SELECT, VALUES or data-modifying statement, with its WITH and its ORDER BY … FOR UPDATE.
#[derive(Clone, Debug)]
pub struct Query {
    pub recursive: bool,
    pub ctes: Vec<Cte>,
    pub body: Body,
    /// ORDER BY, LIMIT, OFFSET and FETCH.
    pub tail: Vec<Expr>,
    /// Whether LIMIT, OFFSET or FETCH cuts rows off.
    pub limited: bool,
    pub locks: Vec<Lock>,
}

impl Query {
    /// Of a query that is asked only whether it has rows, `*` needs no columns.
    pub(crate) fn leave_out_stars(&mut self) {
        if let Body::Select(select) = &mut self.body
            && !self.limited
            && matches!((&select.distinct, &select.grouping), (Distinct::No, Grouping::None))
        {
            select.output.retain(|item| !matches!(item, Output::All | Output::AllOf(_)));
        }
    }
}

#[derive(Clone, Debug)]
pub struct Cte {
    pub name: Ident,
    pub columns: Vec<Ident>,
    pub query: Query,
}

/// FOR UPDATE, FOR SHARE and so on.
#[derive(Clone, Debug)]
pub struct Lock {
    /// Empty for all tables of the query.
    pub of: Vec<Ident>,
}

#[derive(Clone, Debug)]
pub enum Body {
    Select(Box<Select>),
    Set(Box<SetOperation>),
    Values(Rows),
    Nested(Box<Query>),
    Insert(Box<Insert>),
    Update(Box<Update>),
    Delete(Box<Delete>),
    Merge(Box<Merge>),
}

#[derive(Clone, Debug)]
pub struct SetOperation {
    pub operator: SetOperator,
    pub arms: [Body; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOperator {
    Union,
    Intersect,
    Except,
}

/// Rows of VALUES.
pub type Rows = Vec<Vec<Expr>>;

#[derive(Clone, Debug)]
pub struct Select {
    pub distinct: Distinct,
    pub output: Vec<Output>,
    /// SELECT … INTO: where the new table's name starts.
    pub into: Option<u32>,
    pub from: Vec<From>,
    pub filter: Option<Expr>,
    pub grouping: Grouping,
    pub having: Option<Expr>,
    /// Those of the WINDOW clause; the others stand at their calls.
    pub windows: Vec<Window>,
}

#[derive(Clone, Debug)]
pub enum Distinct {
    No,
    Yes,
    On(Vec<Expr>),
}

#[derive(Clone, Debug)]
pub enum Grouping {
    None,
    /// GROUP BY plain expressions.
    By(Vec<Expr>),
    /// With ROLLUP, CUBE or GROUPING SETS: grouped columns may become NULL.
    Sets(Vec<Expr>),
}

/// An item of a select list or of RETURNING.
#[derive(Clone, Debug)]
pub enum Output {
    Expr {
        expr: Expr,
        alias: Option<Ident>,
    },
    /// `*`
    All,
    /// `t.*` or `s.t.*`
    AllOf(Path),
    /// `(expression).*`
    Fields(Expr),
}

/// An item of FROM.
#[derive(Clone, Debug)]
pub enum From {
    Table(TableRef),
    Derived(Box<Derived>),
    /// Function calls in FROM.
    Call {
        calls: Vec<Expr>,
        alias: Option<Alias>,
    },
    Join(Box<Join>),
}

#[derive(Clone, Debug)]
pub struct TableRef {
    pub name: Path,
    pub only: bool,
    pub alias: Option<Alias>,
    /// Arguments of TABLESAMPLE.
    pub sample: Vec<Expr>,
}

#[derive(Clone, Debug)]
pub struct Derived {
    pub lateral: bool,
    pub query: Query,
    pub alias: Option<Alias>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    pub name: Ident,
    /// New names for the first columns.
    pub columns: Vec<Ident>,
}

#[derive(Clone, Debug)]
pub struct Join {
    pub kind: JoinKind,
    pub left: From,
    pub right: From,
    pub condition: Condition,
    /// Of the join in parentheses: it hides the names inside.
    pub alias: Option<Alias>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

#[derive(Clone, Debug)]
pub enum Condition {
    /// CROSS JOIN, or a comma.
    None,
    On(Expr),
    Using(Vec<Ident>),
    Natural,
}

#[derive(Clone, Debug)]
pub struct Insert {
    pub table: TableRef,
    /// Empty for all columns in their order.
    pub columns: Vec<Ident>,
    pub source: InsertSource,
    pub on_conflict: Option<Assign>,
    pub returning: Vec<Output>,
}

#[derive(Clone, Debug)]
pub enum InsertSource {
    DefaultValues,
    Query(Query),
}

/// DO UPDATE SET … WHERE …
#[derive(Clone, Debug)]
pub struct Assign {
    pub assignments: Vec<Assignment>,
    pub filter: Option<Expr>,
}

/// `column = value`, or `(a, b) = …`.
#[derive(Clone, Debug)]
pub struct Assignment {
    pub columns: Vec<Ident>,
    pub value: Expr,
}

#[derive(Clone, Debug)]
pub struct Update {
    pub table: TableRef,
    pub assignments: Vec<Assignment>,
    pub from: Vec<From>,
    pub filter: Option<Expr>,
    pub returning: Vec<Output>,
}

#[derive(Clone, Debug)]
pub struct Delete {
    pub table: TableRef,
    pub using: Vec<From>,
    pub filter: Option<Expr>,
    pub returning: Vec<Output>,
}

#[derive(Clone, Debug)]
pub struct Merge {
    pub table: TableRef,
    pub source: From,
    pub on: Expr,
    pub clauses: Vec<MergeClause>,
    pub returning: Vec<Output>,
}

#[derive(Clone, Debug)]
pub struct MergeClause {
    pub when: MergeWhen,
    pub condition: Option<Expr>,
    pub action: MergeAction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeWhen {
    Matched,
    NotMatched,
    /// Rows of the target that match no row of the source.
    NotMatchedBySource,
}

#[derive(Clone, Debug)]
pub enum MergeAction {
    Nothing,
    Delete,
    Update(Vec<Assignment>),
    Insert { columns: Vec<Ident>, values: Vec<Expr> },
}

#[derive(Clone, Debug)]
pub enum Expr {
    Column(Path),
    /// A string or a number: where it starts.
    Literal(u32),
    Null,
    Bool(bool),
    /// DEFAULT in INSERT or UPDATE.
    Default,
    /// `$1` has index 0.
    Parameter {
        index: u16,
        at: u32,
    },
    Minus(Box<Expr>),
    Cast(Box<Expr>, TypeName),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    /// By one of the unqualified operators `=`, `<`, `<=`, `>` and `>=`.
    Compare(Comparison, Box<[Expr; 2]>),
    /// `expr IN (…)`, not negated.
    In(Box<Expr>, Vec<Expr>),
    InQuery(Box<Expr>, Box<Query>),
    /// `expr = ANY (array)`
    EqualsAny(Box<[Expr; 2]>),
    /// `expr BETWEEN low AND high`, not negated nor symmetric.
    Between(Box<[Expr; 3]>),
    IsNull(Box<Expr>),
    IsNotDistinct(Box<[Expr; 2]>),
    Row(Vec<Expr>),
    Array(Vec<Expr>),
    /// A scalar subquery, EXISTS, ARRAY(…), `NOT IN (…)` and every other place of a query.
    Subquery(Box<Query>),
    Call(Box<Call>),
    /// Whatever else, by its operands.
    Other(Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// The comparison with its operands exchanged.
    #[must_use]
    pub fn reversed(self) -> Comparison {
        match self {
            Comparison::Equal => Comparison::Equal,
            Comparison::Less => Comparison::Greater,
            Comparison::LessOrEqual => Comparison::GreaterOrEqual,
            Comparison::Greater => Comparison::Less,
            Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        }
    }
}

/// A type in a cast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeName {
    /// As SQL writes it, in lower case; with its schema unless that is `pg_catalog`.
    pub name: Box<str>,
    /// Whether it has a modifier, as `varchar(10)` has.
    pub modified: bool,
    pub array: bool,
}

#[derive(Clone, Debug)]
pub struct Call {
    pub name: Path,
    /// Arguments, their ORDER BY, WITHIN GROUP and FILTER.
    pub operands: Vec<Expr>,
    pub over: Option<Window>,
}

#[derive(Clone, Debug, Default)]
pub struct Window {
    /// OVER name, or a window that extends a named one.
    pub base: Option<Ident>,
    /// The name that the WINDOW clause gives it.
    pub name: Option<Ident>,
    pub partition_by: Vec<Expr>,
    /// ORDER BY and the frame's bounds.
    pub others: Vec<Expr>,
}

//! Files in a fixed order are numbered without gaps: `sql/001_*.sql`, `docs/decisions/0001-*.md`.

use super::Breach;
use super::tree::Tree;

struct Series {
    directory: &'static str,
    suffix: &'static str,
    digits: usize,
    separator: char,
}

const SERIES: [Series; 2] = [
    Series { directory: "sql/", suffix: ".sql", digits: 3, separator: '_' },
    Series { directory: "docs/decisions/", suffix: ".md", digits: 4, separator: '-' },
];

pub fn check(tree: &Tree) -> Vec<Breach> {
    SERIES.iter().flat_map(|series| check_series(tree, series)).collect()
}

fn check_series(tree: &Tree, series: &Series) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut expected = 1;
    for (path, _) in tree.files() {
        let name =
            path.strip_prefix(series.directory).and_then(|name| name.strip_suffix(series.suffix));
        let Some(name) = name.filter(|name| !name.contains('/')) else { continue };
        let wanted = format!("{expected:0digits$}{}", series.separator, digits = series.digits);
        if !name.starts_with(&wanted) {
            breaches.push(Breach::new(path, format!("the next number is {wanted}")));
        }
        expected += 1;
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_doubles_and_names_without_a_number_are_told() {
        let tree = Tree::of([
            ("docs/decisions/0001-a.md", ""),
            ("docs/decisions/0002-b.md", ""),
            ("sql/001_a.sql", ""),
            ("sql/001_b.sql", ""),
            ("sql/003_c.sql", ""),
            ("sql/sample/schema.sql", ""),
        ]);
        let paths: Vec<String> = check(&tree).into_iter().map(|breach| breach.path).collect();
        assert_eq!(paths, ["sql/001_b.sql"]);
        assert_eq!(check(&Tree::of([("sql/create.sql", "")])).len(), 1);
        assert_eq!(check(&Tree::of([("docs/decisions/0002-b.md", "")])).len(), 1);
    }
}

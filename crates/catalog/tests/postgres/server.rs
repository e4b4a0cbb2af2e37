//! One server for all tests of this binary, and functions in it that report errors as NULL.

use std::fmt::Write;
use std::sync::LazyLock;

use herd_testkit::TempPostgres;

static SERVER: LazyLock<TempPostgres> = LazyLock::new(|| {
    let server = TempPostgres::start(&["TimeZone=Asia/Kolkata", "DateStyle=SQL,DMY"]);
    let _ = server.psql(
        "create function try(query text, variadic inputs text[]) returns text language plpgsql
         as $$
         declare result text;
         begin
           execute query into result using inputs;
           return result;
         exception when data_exception or check_violation then return 'error';
         end $$",
    );
    server
});

/// What `query` gives for each row of inputs, which it sees as `$1[1]`, `$1[2]`, …; `error` when
/// it fails on the data.
pub fn ask<const N: usize>(query: &str, inputs: &[[&str; N]]) -> Vec<String> {
    let mut sql = format!("select try({}, variadic row) from (values ", literal(query));
    for (index, row) in inputs.iter().enumerate() {
        let columns: Vec<String> = row.iter().map(|text| literal(text)).collect();
        let comma = if index == 0 { "" } else { "," };
        write!(sql, "{comma}({index}, array[{}])", columns.join(",")).expect("it is a String");
    }
    sql.push_str(") as rows(at, row) order by at;");
    let answers: Vec<String> = run(&sql).lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), inputs.len());
    answers
}

pub fn run(sql: &str) -> String {
    SERVER.psql(sql)
}

pub fn literal(text: &str) -> String {
    if text.contains('\\') {
        format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

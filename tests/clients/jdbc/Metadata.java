import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** What tools ask the driver about the database: long catalog queries, all of them. */
final class Metadata {
    private Metadata() {}

    private static final String S = Database.SCHEMA;

    interface Question {
        ResultSet ask(DatabaseMetaData metadata) throws SQLException;
    }

    private static List<String> answers(String column, Question question) throws SQLException {
        try (Connection connection = Database.connect(); ResultSet rows = question.ask(connection.getMetaData())) {
            List<String> values = new ArrayList<>();
            while (rows.next()) {
                values.add(rows.getString(column));
            }
            return values;
        }
    }

    /** Runs before the tests. */
    static void prepare() throws SQLException {
        try (Connection connection = Database.connect()) {
            Database.run(connection, "CREATE TABLE author (id bigint PRIMARY KEY, name text NOT NULL DEFAULT 'x'); COMMENT ON TABLE author IS 'who writes'");
            Database.run(connection, "CREATE TABLE article (id serial PRIMARY KEY, author bigint REFERENCES author ON DELETE CASCADE, title varchar(80))");
            Database.run(connection, "CREATE INDEX by_title ON article (title)");
            Database.run(connection, "CREATE VIEW titles AS SELECT title FROM article");
            Database.run(connection, "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2'");
            Database.run(connection, "CREATE TYPE mood AS ENUM ('sad', 'glad')");
        }
    }

    @Run.Test
    static void tablesAndViews() throws SQLException {
        Run.same(List.of("article", "author", "titles"), answers("TABLE_NAME", m -> m.getTables(null, S, "%", new String[] {"TABLE", "VIEW"})));
        Run.same(List.of("who writes"), answers("REMARKS", m -> m.getTables(null, S, "author", null)));
    }

    @Run.Test
    static void columns() throws SQLException {
        Run.same(List.of("int8", "text"), answers("TYPE_NAME", m -> m.getColumns(null, S, "author", "%")));
        Run.same(List.of("YES", "NO", "NO"), answers("IS_AUTOINCREMENT", m -> m.getColumns(null, S, "article", "%")));
        Run.same(List.of("80"), answers("COLUMN_SIZE", m -> m.getColumns(null, S, "article", "title")));
    }

    @Run.Test
    static void keysAndIndexes() throws SQLException {
        Run.same(List.of("id"), answers("COLUMN_NAME", m -> m.getPrimaryKeys(null, S, "author")));
        Run.same(List.of("author"), answers("FKCOLUMN_NAME", m -> m.getImportedKeys(null, S, "article")));
        Run.same(List.of("article"), answers("FKTABLE_NAME", m -> m.getExportedKeys(null, S, "author")));
        Run.same(List.of("article_pkey", "by_title"), answers("INDEX_NAME", m -> m.getIndexInfo(null, S, "article", false, true)));
        Run.same(List.of("id"), answers("COLUMN_NAME", m -> m.getBestRowIdentifier(null, S, "author", DatabaseMetaData.bestRowSession, true)));
    }

    @Run.Test
    static void functionsTypesAndSchemas() throws SQLException {
        Run.same(List.of("twice"), answers("FUNCTION_NAME", m -> m.getFunctions(null, S, "%")));
        Run.same(List.of("returnValue", "n"), answers("COLUMN_NAME", m -> m.getFunctionColumns(null, S, "twice", "%")));
        Run.same(List.of(S), answers("TABLE_SCHEM", m -> m.getSchemas(null, S)));
        Run.holds(answers("TYPE_NAME", DatabaseMetaData::getTypeInfo).contains("mood"), "the enum is a type");
        Run.holds(answers("TABLE_CAT", DatabaseMetaData::getCatalogs).contains(Database.variable("DBNAME", "herd")), "our database is listed");
    }

    @Run.Test
    static void privilegesAndTheRest() throws SQLException {
        Run.holds(answers("PRIVILEGE", m -> m.getTablePrivileges(null, S, "author")).contains("SELECT"), "the owner may select");
        Run.holds(answers("PRIVILEGE", m -> m.getColumnPrivileges(null, S, "author", "id")).contains("UPDATE"), "the owner may update");
        Run.holds(answers("TABLE_TYPE", DatabaseMetaData::getTableTypes).contains("TABLE"), "tables are a type");
        try (Connection connection = Database.connect()) {
            DatabaseMetaData metadata = connection.getMetaData();
            Run.same("PostgreSQL", metadata.getDatabaseProductName());
            Run.holds(metadata.getDatabaseMajorVersion() >= 15, "the version is told");
            Run.holds(metadata.getSQLKeywords().length() > 100, "keywords are listed");
            Run.same(63, metadata.getMaxColumnNameLength());
        }
    }
}

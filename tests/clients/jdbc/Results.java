import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Arrays;

/** Portals with row limits, several results, large ones, updatable ones. */
final class Results {
    private Results() {}

    @Run.Test
    static void fetchSizeReadsThroughPortals() throws SQLException {
        try (Connection connection = Database.connect()) {
            connection.setAutoCommit(false);
            for (int size : new int[] {1, 7, 50, 100, 1000}) {
                try (PreparedStatement statement = connection.prepareStatement("SELECT generate_series(1, 100)")) {
                    statement.setFetchSize(size);
                    int count = 0;
                    try (ResultSet rows = statement.executeQuery()) {
                        while (rows.next()) {
                            Run.same(++count, rows.getInt(1));
                        }
                    }
                    Run.same(100, count);
                }
            }
            connection.commit();
        }
    }

    @Run.Test
    static void portalsInterleaveWithOtherStatements() throws SQLException {
        try (Connection connection = Database.connect(); Statement first = connection.createStatement(); Statement second = connection.createStatement()) {
            connection.setAutoCommit(false);
            first.setFetchSize(3);
            second.setFetchSize(2);
            try (ResultSet ones = first.executeQuery("SELECT generate_series(1, 20)");
                    ResultSet others = second.executeQuery("SELECT generate_series(101, 120)")) {
                for (int i = 1; i <= 20; i++) {
                    Run.holds(ones.next() && others.next(), "both go on");
                    Run.same(i, ones.getInt(1));
                    Run.same(i + 100, others.getInt(1));
                    Run.same(i, Database.scalar(connection, "SELECT ?::int", i));
                }
            }
            connection.rollback();
        }
    }

    @Run.Test
    static void maxRowsLimits() throws SQLException {
        try (Connection connection = Database.connect(); Statement statement = connection.createStatement()) {
            statement.setMaxRows(10);
            try (ResultSet rows = statement.executeQuery("SELECT generate_series(1, 1000)")) {
                int count = 0;
                while (rows.next()) {
                    count++;
                }
                Run.same(10, count);
            }
        }
    }

    @Run.Test
    static void severalResultsOfOneText() throws SQLException {
        try (Connection connection = Database.connect(); Statement statement = connection.createStatement()) {
            Run.holds(statement.execute("SELECT 1; CREATE TEMP TABLE several (id int); INSERT INTO several VALUES (1), (2); SELECT 'x'"), "rows first");
            Run.holds(!statement.getMoreResults(), "then no rows");
            Run.same(0, statement.getUpdateCount());
            Run.holds(!statement.getMoreResults(), "nor now");
            Run.same(2, statement.getUpdateCount());
            Run.holds(statement.getMoreResults(), "then rows");
            try (ResultSet rows = statement.getResultSet()) {
                rows.next();
                Run.same("x", rows.getString(1));
            }
        }
    }

    @Run.Test
    static void millionRowsStream() throws SQLException {
        try (Connection connection = Database.connect(); Statement statement = connection.createStatement()) {
            connection.setAutoCommit(false);
            statement.setFetchSize(10_000);
            long total = 0;
            try (ResultSet rows = statement.executeQuery("SELECT generate_series(1, 1000000)")) {
                while (rows.next()) {
                    total += rows.getInt(1);
                }
            }
            Run.same(500_000_500_000L, total);
            connection.commit();
        }
    }

    @Run.Test
    static void valueOfFiftyMegabytes() throws SQLException {
        byte[] value = new byte[50 * 1024 * 1024];
        Arrays.fill(value, (byte) 7);
        try (Connection connection = Database.connect("prepareThreshold", "-1");
                PreparedStatement statement = connection.prepareStatement("SELECT ?::bytea")) {
            statement.setBytes(1, value);
            try (ResultSet rows = statement.executeQuery()) {
                rows.next();
                Run.holds(Arrays.equals(value, rows.getBytes(1)), "the bytes come back");
            }
        }
    }

    @Run.Test
    static void updatableResultWritesRows() throws SQLException {
        try (Connection connection = Database.connect();
                Statement statement = connection.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
            Database.run(connection, "CREATE TABLE editable (id int PRIMARY KEY, t text); INSERT INTO editable VALUES (1, 'a'), (2, 'b')");
            try (ResultSet rows = statement.executeQuery("SELECT id, t FROM editable ORDER BY id")) {
                rows.next();
                rows.updateString("t", "changed");
                rows.updateRow();
                rows.next();
                rows.deleteRow();
                rows.moveToInsertRow();
                rows.updateInt("id", 3);
                rows.updateString("t", "new");
                rows.insertRow();
            }
            Run.same("1changed,3new", Database.scalar(connection, "SELECT string_agg(id || t, ',' ORDER BY id) FROM editable"));
        }
    }

    @Run.Test
    static void describeWithoutRunning() throws SQLException {
        try (Connection connection = Database.connect();
                PreparedStatement statement = connection.prepareStatement("SELECT ?::int AS a, relname FROM pg_class WHERE relname = ?")) {
            Run.same("a", statement.getMetaData().getColumnName(1));
            Run.same("name", statement.getMetaData().getColumnTypeName(2));
            Run.same(2, statement.getParameterMetaData().getParameterCount());
        }
    }
}

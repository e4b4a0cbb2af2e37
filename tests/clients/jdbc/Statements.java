import java.math.BigDecimal;
import java.sql.Array;
import java.sql.BatchUpdateException;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.util.Arrays;
import java.util.UUID;
import org.postgresql.util.PGobject;

/** Values in both formats, prepared statements, batches, calls. */
final class Statements {
    private Statements() {}

    /** The driver turns to server-prepared statements and binary values at the fifth execution. */
    private static final int EXECUTIONS = 8;

    private static void roundTrips(Connection connection, String type, Object value) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("SELECT ?::" + type)) {
            for (int i = 0; i < EXECUTIONS; i++) {
                statement.setObject(1, value);
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    Object found = value == null ? rows.getObject(1) : rows.getObject(1, value.getClass());
                    Run.same(value, found);
                }
            }
        }
    }

    @Run.Test
    static void valuesRoundTripInTextAndBinary() throws SQLException {
        for (String threshold : new String[] {"0", "1", "5", "-1"}) {
            try (Connection connection = Database.connect("prepareThreshold", threshold)) {
                roundTrips(connection, "boolean", true);
                roundTrips(connection, "int", Integer.MIN_VALUE);
                roundTrips(connection, "bigint", Long.MAX_VALUE);
                roundTrips(connection, "float8", 1.5e300);
                roundTrips(connection, "float4", 1.5f);
                roundTrips(connection, "numeric", new BigDecimal("-12345678901234567890.1234567890"));
                roundTrips(connection, "text", "žluť 🐑 '\"\\");
                roundTrips(connection, "uuid", UUID.fromString("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"));
                roundTrips(connection, "date", LocalDate.of(2026, 2, 28));
                roundTrips(connection, "time", LocalTime.of(23, 59, 59, 999999000));
                roundTrips(connection, "timestamptz", OffsetDateTime.parse("2026-11-21T13:14:15.123456Z"));
                roundTrips(connection, "text", null);
            }
        }
    }

    @Run.Test
    static void bytesArraysAndObjects() throws SQLException {
        try (Connection connection = Database.connect("prepareThreshold", "2");
                PreparedStatement statement = connection.prepareStatement("SELECT ?::bytea, ?::int[], ?::text[], ?::jsonb, ?::int4range")) {
            byte[] bytes = new byte[100_000];
            Arrays.fill(bytes, (byte) 0xff);
            PGobject range = new PGobject();
            range.setType("int4range");
            range.setValue("[1,5)");
            for (int i = 0; i < EXECUTIONS; i++) {
                statement.setBytes(1, bytes);
                statement.setArray(2, connection.createArrayOf("int4", new Integer[] {1, null, 3}));
                statement.setArray(3, connection.createArrayOf("text", new String[][] {{"a", "\""}, {null, "ž"}}));
                statement.setObject(4, "{\"a\": [1, null]}", Types.OTHER);
                statement.setObject(5, range);
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    Run.same(bytes, rows.getBytes(1));
                    Array numbers = rows.getArray(2);
                    Run.same(new Integer[] {1, null, 3}, numbers.getArray());
                    Run.same(new String[][] {{"a", "\""}, {null, "ž"}}, rows.getArray(3).getArray());
                    Run.same("{\"a\": [1, null]}", rows.getString(4));
                    Run.same("[1,5)", rows.getString(5));
                }
            }
        }
    }

    @Run.Test
    static void enumsAndCompositesAsText() throws SQLException {
        try (Connection connection = Database.connect()) {
            Database.run(connection, "CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TYPE pair AS (m mood, n int)");
            try (PreparedStatement statement = connection.prepareStatement("SELECT ROW(?::mood, 7)::pair, ?::mood")) {
                for (int i = 0; i < EXECUTIONS; i++) {
                    statement.setObject(1, "glad", Types.OTHER);
                    statement.setString(2, "sad");
                    try (ResultSet rows = statement.executeQuery()) {
                        rows.next();
                        Run.same("(glad,7)", rows.getString(1));
                        Run.same("sad", rows.getString(2));
                    }
                }
            }
        }
    }

    @Run.Test
    static void preparedStatementsSurviveTransactions() throws SQLException {
        try (Connection connection = Database.connect("prepareThreshold", "1");
                PreparedStatement statement = connection.prepareStatement("SELECT ?::int + 1")) {
            for (int i = 0; i < 50; i++) {
                connection.setAutoCommit(i % 2 == 0);
                statement.setInt(1, i);
                try (ResultSet rows = statement.executeQuery()) {
                    rows.next();
                    Run.same(i + 1, rows.getInt(1));
                }
                if (!connection.getAutoCommit()) {
                    connection.rollback();
                }
            }
        }
    }

    @Run.Test
    static void hundredsOfPreparedStatements() throws SQLException {
        try (Connection connection = Database.connect("prepareThreshold", "1", "preparedStatementCacheQueries", "64")) {
            for (int turn = 0; turn < 2; turn++) {
                for (int i = 0; i < 300; i++) {
                    Run.same(turn + i, Database.scalar(connection, "SELECT ?::int + " + i, turn));
                }
            }
        }
    }

    @Run.Test
    static void everyQueryMode() throws SQLException {
        for (String mode : new String[] {"simple", "extended", "extendedForPrepared", "extendedCacheEverything"}) {
            try (Connection connection = Database.connect("preferQueryMode", mode)) {
                for (int i = 0; i < EXECUTIONS; i++) {
                    Run.same(i, Database.scalar(connection, "SELECT ?::int", i));
                }
            }
        }
    }

    @Run.Test
    static void batchOfThousands() throws SQLException {
        for (String rewrite : new String[] {"false", "true"}) {
            try (Connection connection = Database.connect("reWriteBatchedInserts", rewrite)) {
                Database.run(connection, "CREATE TABLE batched_" + rewrite + " (id int PRIMARY KEY, t text)");
                try (PreparedStatement statement = connection.prepareStatement("INSERT INTO batched_" + rewrite + " VALUES (?, ?)")) {
                    for (int i = 0; i < 5000; i++) {
                        statement.setInt(1, i);
                        statement.setString(2, "row " + i);
                        statement.addBatch();
                    }
                    Run.same(5000, statement.executeBatch().length);
                }
                Run.same(5000L, Database.scalar(connection, "SELECT count(*) FROM batched_" + rewrite));
            }
        }
    }

    @Run.Test
    static void failedBatchIsUndone() throws SQLException {
        try (Connection connection = Database.connect()) {
            Database.run(connection, "CREATE TABLE atomic (id int PRIMARY KEY)");
            connection.setAutoCommit(false);
            try (PreparedStatement statement = connection.prepareStatement("INSERT INTO atomic VALUES (?)")) {
                for (int id : new int[] {1, 2, 3, 2, 5}) {
                    statement.setInt(1, id);
                    statement.addBatch();
                }
                statement.executeBatch();
                throw new AssertionError("the duplicate was accepted");
            } catch (BatchUpdateException refused) {
                Run.same("23505", refused.getSQLState());
            }
            connection.rollback();
            Run.same(0L, Database.scalar(connection, "SELECT count(*) FROM atomic"));
        }
    }

    @Run.Test
    static void batchReturnsGeneratedKeys() throws SQLException {
        try (Connection connection = Database.connect()) {
            Database.run(connection, "CREATE TABLE keyed (id serial PRIMARY KEY, t text)");
            try (PreparedStatement statement = connection.prepareStatement("INSERT INTO keyed (t) VALUES (?)", Statement.RETURN_GENERATED_KEYS)) {
                for (int i = 0; i < 300; i++) {
                    statement.setString(1, "t" + i);
                    statement.addBatch();
                }
                statement.executeBatch();
                try (ResultSet keys = statement.getGeneratedKeys()) {
                    for (int id = 1; keys.next(); id++) {
                        Run.same(id, keys.getInt(1));
                    }
                }
            }
        }
    }

    @Run.Test
    static void batchOfDifferentStatements() throws SQLException {
        try (Connection connection = Database.connect(); Statement statement = connection.createStatement()) {
            statement.addBatch("CREATE TABLE mixed (id int)");
            statement.addBatch("INSERT INTO mixed VALUES (1), (2)");
            statement.addBatch("UPDATE mixed SET id = id + 1");
            Run.same(new int[] {0, 2, 2}, statement.executeBatch());
        }
    }

    @Run.Test
    static void callsOfProceduresAndFunctions() throws SQLException {
        try (Connection connection = Database.connect("escapeSyntaxCallMode", "callIfNoReturn")) {
            Database.run(connection, "CREATE PROCEDURE bump(INOUT n int) LANGUAGE plpgsql AS $$ BEGIN n := n + 1; END $$");
            try (CallableStatement call = connection.prepareCall("{call bump(?)}")) {
                call.setInt(1, 41);
                call.registerOutParameter(1, Types.INTEGER);
                call.execute();
                Run.same(42, call.getInt(1));
            }
            try (CallableStatement call = connection.prepareCall("{? = call upper(?)}")) {
                call.registerOutParameter(1, Types.VARCHAR);
                call.setString(2, "ž");
                call.execute();
                Run.same("Ž", call.getString(1));
            }
        }
    }
}

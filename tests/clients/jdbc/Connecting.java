import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

/** Connections, transactions, errors, cancel, notifications. */
final class Connecting {
    private Connecting() {}

    @Run.Test
    static void wrongPasswordIsRefused() throws Exception {
        Run.fails("28P01", () -> Database.connect("password", "wrong"));
    }

    @Run.Test
    static void missingDatabaseIsRefused() throws Exception {
        Run.fails("3D000", () -> Database.connect("database", "nowhere"));
    }

    @Run.Test
    static void startupSettingsApply() throws SQLException {
        try (Connection connection = Database.connect("ApplicationName", "jdbc", "options", "-c statement_timeout=7s")) {
            Run.same("jdbc", Database.scalar(connection, "SHOW application_name"));
            Run.same("7s", Database.scalar(connection, "SHOW statement_timeout"));
            Run.holds(connection.isValid(5), "the connection is valid");
        }
    }

    @Run.Test
    static void commitKeepsAndRollbackUndoes() throws SQLException {
        try (Connection connection = Database.connect()) {
            Database.run(connection, "CREATE TABLE kept (id int PRIMARY KEY)");
            connection.setAutoCommit(false);
            Database.run(connection, "INSERT INTO kept VALUES (1)");
            connection.commit();
            Database.run(connection, "INSERT INTO kept VALUES (2)");
            connection.rollback();
            Database.run(connection, "INSERT INTO kept VALUES (3)");
            Savepoint savepoint = connection.setSavepoint("s");
            Database.run(connection, "INSERT INTO kept VALUES (4)");
            connection.rollback(savepoint);
            connection.commit();
            Run.same(List.of(1, 3), Database.column(connection, "SELECT id FROM kept ORDER BY id"));
        }
    }

    @Run.Test
    static void autosaveRetriesAfterAnError() throws Exception {
        try (Connection connection = Database.connect("autosave", "always")) {
            connection.setAutoCommit(false);
            Database.run(connection, "CREATE TABLE autosaved (id int PRIMARY KEY)");
            for (int i = 0; i < 10; i++) {
                Run.fails("22012", () -> Database.run(connection, "SELECT 1/0"));
                Run.same(1L, (long) connection.prepareStatement("INSERT INTO autosaved VALUES (" + i + ")").executeUpdate());
            }
            connection.commit();
            Run.same(10L, Database.scalar(connection, "SELECT count(*) FROM autosaved"));
        }
    }

    @Run.Test
    static void isolationAndReadOnly() throws Exception {
        try (Connection connection = Database.connect()) {
            for (int level : new int[] {Connection.TRANSACTION_READ_COMMITTED, Connection.TRANSACTION_REPEATABLE_READ, Connection.TRANSACTION_SERIALIZABLE}) {
                connection.setTransactionIsolation(level);
                Run.same(level, connection.getTransactionIsolation());
            }
            connection.setReadOnly(true);
            connection.setAutoCommit(false);
            Run.fails("25006", () -> Database.run(connection, "CREATE TABLE refused (id int)"));
            connection.rollback();
        }
    }

    @Run.Test
    static void errorsCarryTheirFields() throws Exception {
        try (Connection connection = Database.connect()) {
            Database.run(connection, "CREATE TABLE strict (id int CONSTRAINT one_id PRIMARY KEY, n int NOT NULL)");
            Database.run(connection, "INSERT INTO strict VALUES (1, 1)");
            SQLException refused = Run.fails("23505", () -> Database.run(connection, "INSERT INTO strict VALUES (1, 1)"));
            ServerErrorMessage message = ((PSQLException) refused).getServerErrorMessage();
            Run.same("one_id", message.getConstraint());
            Run.same(Database.SCHEMA, message.getSchema());
            Run.same("strict", message.getTable());
            Run.same("Key (id)=(1) already exists.", message.getDetail());
            SQLException missing = Run.fails("23502", () -> Database.run(connection, "INSERT INTO strict VALUES (2, NULL)"));
            Run.same("n", ((PSQLException) missing).getServerErrorMessage().getColumn());
            SQLException broken = Run.fails("42601", () -> Database.run(connection, "SELECT * FORM strict"));
            Run.same(10, ((PSQLException) broken).getServerErrorMessage().getPosition());
        }
    }

    @Run.Test
    static void noticesBecomeWarnings() throws SQLException {
        try (Connection connection = Database.connect(); Statement statement = connection.createStatement()) {
            statement.execute("DO $$ BEGIN RAISE NOTICE 'first'; RAISE WARNING 'second'; END $$");
            Run.same("first", statement.getWarnings().getMessage());
            Run.same("second", statement.getWarnings().getNextWarning().getMessage());
        }
    }

    @Run.Test
    static void cancelEndsTheRunningStatement() throws Exception {
        try (Connection connection = Database.connect(); Statement statement = connection.createStatement()) {
            CompletableFuture<Void> cancel = CompletableFuture.runAsync(() -> {
                try {
                    Thread.sleep(200);
                    statement.cancel();
                } catch (InterruptedException | SQLException failure) {
                    throw new IllegalStateException(failure);
                }
            });
            long began = System.nanoTime();
            Run.fails("57014", () -> statement.execute("SELECT pg_sleep(30)"));
            cancel.get();
            Run.holds(System.nanoTime() - began < 3_000_000_000L, "the cancel was quick");
            Run.same(1, Database.scalar(connection, "SELECT 1"));
        }
    }

    @Run.Test
    static void queryTimeoutCancels() throws Exception {
        try (Connection connection = Database.connect(); Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            Run.fails("57014", () -> statement.execute("SELECT pg_sleep(30)"));
            Run.same(1, Database.scalar(connection, "SELECT 1"));
        }
    }

    @Run.Test
    static void notificationsArrive() throws SQLException {
        try (Connection connection = Database.connect(); Connection other = Database.connect()) {
            Database.run(connection, "LISTEN news");
            Database.scalar(other, "SELECT pg_notify('news', ?)::text", "hello");
            PGNotification[] heard = connection.unwrap(PGConnection.class).getNotifications(5000);
            Run.same(1, heard.length);
            Run.same("hello", heard[0].getParameter());
        }
    }

    @Run.Test
    static void settingsStayWithTheirConnection() throws SQLException {
        try (Connection connection = Database.connect(); Connection other = Database.connect()) {
            connection.setSchema("pg_catalog");
            connection.setClientInfo("ApplicationName", "renamed");
            for (int i = 0; i < 5; i++) {
                Run.same("pg_catalog", connection.getSchema());
                Run.same(Database.SCHEMA, other.getSchema());
                Run.same("renamed", Database.scalar(connection, "SHOW application_name"));
            }
        }
    }
}

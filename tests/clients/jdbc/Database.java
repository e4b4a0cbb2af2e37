import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

/** The endpoint under test, from the environment, and short ways to ask it something. */
final class Database {
    static final String SCHEMA = "jdbc_tests";

    private Database() {}

    static String variable(String name, String otherwise) {
        return System.getenv().getOrDefault("HERD_TEST_" + name, otherwise);
    }

    /** A connection with the driver's settings given as name, value, name, value… */
    static Connection connect(String... settings) throws SQLException {
        String port = variable("PORT", null);
        if (port == null) {
            throw new IllegalStateException("HERD_TEST_PORT is not set; run the suites through tests/run");
        }
        Properties properties = new Properties();
        properties.setProperty("user", variable("USER", "herd"));
        properties.setProperty("password", variable("PASSWORD", "herd"));
        properties.setProperty("currentSchema", SCHEMA);
        for (int i = 0; i < settings.length; i += 2) {
            properties.setProperty(settings[i], settings[i + 1]);
        }
        String database = properties.getProperty("database", variable("DBNAME", "herd"));
        String url = "jdbc:postgresql://" + variable("HOST", "127.0.0.1") + ":" + port + "/" + database;
        return DriverManager.getConnection(url, properties);
    }

    static void freshSchema() throws SQLException {
        try (Connection connection = connect()) {
            run(connection, "DROP SCHEMA IF EXISTS " + SCHEMA + " CASCADE");
            run(connection, "CREATE SCHEMA " + SCHEMA);
        }
    }

    static void dropSchema() throws SQLException {
        try (Connection connection = connect()) {
            run(connection, "DROP SCHEMA " + SCHEMA + " CASCADE");
        }
    }

    static void run(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    static Object scalar(Connection connection, String sql, Object... parameters) throws SQLException {
        return column(connection, sql, parameters).get(0);
    }

    /** The first column of every row. */
    static List<Object> column(Connection connection, String sql, Object... parameters) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < parameters.length; i++) {
                statement.setObject(i + 1, parameters[i]);
            }
            List<Object> values = new ArrayList<>();
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    values.add(rows.getObject(1));
                }
            }
            return values;
        }
    }
}

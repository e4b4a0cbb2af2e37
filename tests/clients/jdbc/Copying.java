import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.SQLException;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyIn;
import org.postgresql.copy.CopyManager;

/** COPY through the driver's own interface. */
final class Copying {
    private Copying() {}

    private static CopyManager manager(Connection connection) throws SQLException {
        return connection.unwrap(PGConnection.class).getCopyAPI();
    }

    @Run.Test
    static void csvInAndOut() throws SQLException, IOException {
        try (Connection connection = Database.connect()) {
            Database.run(connection, "CREATE TABLE copied (id int, t text)");
            String csv = "id,t\n1,\"a, b\"\n2,\n3,\"\"\n";
            Run.same(3L, manager(connection).copyIn("COPY copied FROM STDIN (FORMAT csv, HEADER)", new StringReader(csv)));
            StringWriter out = new StringWriter();
            Run.same(3L, manager(connection).copyOut("COPY (TABLE copied ORDER BY id) TO STDOUT (FORMAT csv, HEADER)", out));
            Run.same(csv, out.toString());
        }
    }

    @Run.Test
    static void binaryRoundTrip() throws SQLException, IOException {
        try (Connection connection = Database.connect()) {
            Database.run(connection, "CREATE TABLE source AS SELECT i AS id, md5(i::text) AS t FROM generate_series(1, 10000) i");
            Database.run(connection, "CREATE TABLE target (LIKE source)");
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            manager(connection).copyOut("COPY source TO STDOUT BINARY", bytes);
            manager(connection).copyIn("COPY target FROM STDIN BINARY", new java.io.ByteArrayInputStream(bytes.toByteArray()));
            Run.same(0L, Database.scalar(connection, "SELECT count(*) FROM (TABLE source EXCEPT TABLE target) d"));
        }
    }

    @Run.Test
    static void cancelledCopyKeepsNothing() throws SQLException {
        try (Connection connection = Database.connect()) {
            Database.run(connection, "CREATE TABLE cancelled (id int)");
            CopyIn copy = manager(connection).copyIn("COPY cancelled FROM STDIN");
            byte[] row = "1\n".getBytes(StandardCharsets.UTF_8);
            copy.writeToCopy(row, 0, row.length);
            copy.cancelCopy();
            Run.same(0L, Database.scalar(connection, "SELECT count(*) FROM cancelled"));
        }
    }

    @Run.Test
    static void badRowIsReported() throws Exception {
        try (Connection connection = Database.connect()) {
            Database.run(connection, "CREATE TABLE bad (id int)");
            Run.fails("22P02", () -> manager(connection).copyIn("COPY bad FROM STDIN", new StringReader("1\nx\n")));
            Run.same(1, Database.scalar(connection, "SELECT 1"));
        }
    }
}

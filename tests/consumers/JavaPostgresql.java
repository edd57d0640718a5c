import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Executors;

/** The JDK's HttpServer with PostgreSQL; an event is known by a digest of its fields. */
public class JavaPostgresql {
    private static final int CONNECTIONS = 4;

    private static final ObjectMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS, DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .nodeFactory(JsonNodeFactory.withExactBigDecimals(true))
            // Half a character has no UTF-8, but an escape.
            .enable(JsonWriteFeature.ESCAPE_NON_ASCII)
            .build();

    private static final byte[] EXPECTED = basic(System.getenv("CONSUMER_USER"), System.getenv("CONSUMER_PASSWORD"));

    private static final BlockingQueue<Connection> POOL = new ArrayBlockingQueue<>(CONNECTIONS);

    /** What is done with a connection of the pool, in a transaction of its own. */
    private interface Work<T> {
        T with(Connection connection) throws SQLException;
    }

    public static void main(String[] arguments) throws Exception {
        for (int number = 0; number < CONNECTIONS; number++) {
            POOL.add(connect());
        }
        inTransaction(connection -> {
            try (var create = connection.createStatement()) {
                return create.execute("CREATE TABLE IF NOT EXISTS event "
                        + "(number bigserial, digest text PRIMARY KEY, payload text NOT NULL)");
            }
        });
        var port = Integer.parseInt(System.getenv("CONSUMER_PORT"));
        var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/hook", JavaPostgresql::receive);
        server.createContext("/processed", JavaPostgresql::report);
        server.start();
    }

    private static Connection connect() throws SQLException {
        var connection = DriverManager.getConnection(System.getenv("CONSUMER_STORE"));
        connection.setAutoCommit(false);
        return connection;
    }

    private static <T> T inTransaction(Work<T> work) throws SQLException, InterruptedException {
        var connection = POOL.take();
        try {
            if (connection.isClosed()) connection = connect();
            var result = work.with(connection);
            connection.commit();
            return result;
        } finally {
            // After a commit, nothing is left to roll back. A connection that PostgreSQL has ended is closed by the driver.
            if (!connection.isClosed()) connection.rollback();
            POOL.add(connection);
        }
    }

    private static void receive(HttpExchange exchange) throws IOException {
        var body = exchange.getRequestBody().readAllBytes();
        var given = exchange.getRequestHeaders().getFirst("Authorization");
        if (!exchange.getRequestMethod().equals("POST")) {
            respond(exchange, 405, "");
        } else if (given == null || !MessageDigest.isEqual(given.getBytes(StandardCharsets.ISO_8859_1), EXPECTED)) {
            exchange.getResponseHeaders().set("WWW-Authenticate", "Basic");
            respond(exchange, 401, "");
        } else {
            respond(exchange, statusOf(body), "");
        }
    }

    private static int statusOf(byte[] body) {
        try {
            var rows = rows(JSON.readTree(StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString()));
            inTransaction(connection -> {
                try (var insert = connection.prepareStatement(
                        "INSERT INTO event (digest, payload) VALUES (?, ?) ON CONFLICT DO NOTHING")) {
                    for (var row : rows.entrySet()) {
                        insert.setString(1, row.getKey());
                        insert.setString(2, row.getValue());
                        insert.addBatch();
                    }
                    return insert.executeBatch();
                }
            });
            return 200;
        } catch (IOException | IllegalArgumentException unreadable) {
            return 400;
        } catch (SQLException | InterruptedException failed) {
            return 503;
        }
    }

    /** Return payloads by their digests, whose order lets no two transactions wait for each other. */
    private static SortedMap<String, String> rows(JsonNode batch) throws IOException {
        if (!batch.isArray()) throw new IllegalArgumentException("no list");
        var rows = new TreeMap<String, String>();
        for (var event : batch) {
            if (!event.isObject()) throw new IllegalArgumentException("not an event");
            var payload = JSON.writeValueAsString(event);
            rows.put(digest(payload), payload);
        }
        return rows;
    }

    private static void report(HttpExchange exchange) throws IOException {
        try {
            var payloads = inTransaction(connection -> {
                var found = new ArrayList<String>();
                try (var select = connection.createStatement();
                        var rows = select.executeQuery("SELECT payload FROM event ORDER BY number")) {
                    while (rows.next()) found.add(rows.getString(1));
                }
                return found;
            });
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            respond(exchange, 200, "[" + String.join(",", payloads) + "]");
        } catch (SQLException | InterruptedException failed) {
            respond(exchange, 503, "");
        }
    }

    private static void respond(HttpExchange exchange, int status, String text) throws IOException {
        var body = text.getBytes(StandardCharsets.UTF_8);
        try (exchange) {
            exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
            exchange.getResponseBody().write(body);
        }
    }

    private static String digest(String payload) {
        try {
            var digest = MessageDigest.getInstance("SHA-256").digest(payload.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest);
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private static byte[] basic(String user, String password) {
        var pair = (user + ":" + password).getBytes(StandardCharsets.UTF_8);
        return ("Basic " + Base64.getEncoder().encodeToString(pair)).getBytes(StandardCharsets.ISO_8859_1);
    }
}

import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executors;

/** A consumer in Java: POST /hook stores a batch of events in memory, GET /processed returns the stored events. */
public class Hook {
    private static final String CREDENTIALS = "Basic " + Base64.getEncoder().encodeToString("acme:secret".getBytes());

    private final ObjectMapper json = JsonMapper.builder().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(JsonWriteFeature.ESCAPE_NON_ASCII).build(); // half a character has no UTF-8, but an escape

    /** Each event once. */
    private final Map<String, JsonNode> events = new LinkedHashMap<>();

    public static HttpServer start() throws IOException {
        var hook = new Hook();
        var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/hook", hook::receive);
        server.createContext("/processed", hook::processed);
        server.start();
        return server;
    }

    private void receive(HttpExchange exchange) throws IOException {
        var body = exchange.getRequestBody().readAllBytes();
        var given = exchange.getRequestHeaders().getFirst("Authorization");
        if (!exchange.getRequestMethod().equals("POST")) {
            respond(exchange, 405, "");
        } else if (given == null || !MessageDigest.isEqual(given.getBytes(), CREDENTIALS.getBytes())) {
            exchange.getResponseHeaders().set("WWW-Authenticate", "Basic");
            respond(exchange, 401, "");
        } else {
            try {
                store(json.readTree(decoded(body)));
                respond(exchange, 200, "");
            } catch (IOException | IllegalArgumentException unreadable) {
                respond(exchange, 400, "");
            }
        }
    }

    private void store(JsonNode batch) {
        if (!batch.isArray()) throw new IllegalArgumentException("no list");
        for (var event : batch) if (!event.isObject()) throw new IllegalArgumentException("not an event");
        synchronized (events) {
            for (var event : batch) events.putIfAbsent(event.get("mailId").asText(), event);
        }
    }

    private void processed(HttpExchange exchange) throws IOException {
        String body;
        synchronized (events) {
            body = json.writeValueAsString(events.values());
        }
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        respond(exchange, 200, body);
    }

    private static String decoded(byte[] body) throws CharacterCodingException {
        return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString();
    }

    private static void respond(HttpExchange exchange, int status, String text) throws IOException {
        var body = text.getBytes(StandardCharsets.UTF_8);
        try (exchange) {
            exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
            exchange.getResponseBody().write(body);
        }
    }
}

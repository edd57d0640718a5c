// A consumer in Java that looks at the clock: `java Hook.java PORT`; GET /bug/NAME gives it a bug.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class Hook {
    private static final long HOUR = 3_600_000, DAY = 24 * HOUR;
    // Events of a webhook are flat objects; without a library, Java reads no JSON.
    private static final Pattern EVENT = Pattern.compile("\\{(?:[^{}\"]|\"(?:[^\"\\\\]|\\\\.)*\")*\\}");
    private static final Pattern CREATED = Pattern.compile("\"created\"\\s*:\\s*(\\d+)");
    private static final Map<String, Long> seen = new HashMap<>();
    private static final List<String> stored = new ArrayList<>();
    private static final ScheduledExecutorService timers = Executors.newScheduledThreadPool(1);
    private static String bug = "";

    public static void main(String[] arguments) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 100);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", Hook::handle);
        server.start();
    }

    private static synchronized void process(List<String> events) {
        long now = System.currentTimeMillis();
        long kept = bug.equals("keys-an-hour") ? HOUR : bug.equals("keys-a-day") ? DAY : 4 * DAY;
        seen.values().removeIf(at -> at < now - kept);
        for (String event : events) {
            Matcher created = CREATED.matcher(event);
            boolean old = created.find() && Long.parseLong(created.group(1)) < now - DAY;
            if (seen.containsKey(event) || (bug.equals("drops-by-clock") && old)) continue;
            seen.put(event, now);
            stored.add(event);
        }
    }

    private static synchronized void become(String name) {
        bug = name;
        seen.clear();
        stored.clear();
    }

    private static synchronized String all() {
        return "[" + String.join(",", stored) + "]";
    }

    private static String readings() throws Exception {
        long began = System.nanoTime();
        Thread.sleep(50);
        timers.schedule(() -> {}, 50, TimeUnit.MILLISECONDS).get();
        long now = System.nanoTime();
        double wall = System.currentTimeMillis() / 1e3;
        return "{\"wall\": " + wall + ", \"monotonic\": " + now / 1e9 + ", \"timer\": " + (now - began) / 1e9 + "}";
    }

    private static void handle(HttpExchange exchange) throws IOException {
        String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
        if (exchange.getRequestMethod().equals("GET")) {
            String path = exchange.getRequestURI().getPath();
            if (path.startsWith("/bug/")) become(path.substring(5));
            try {
                respond(exchange, 200, path.equals("/clock") ? readings() : all());
            } catch (Exception failure) {
                respond(exchange, 500, failure.toString());
            }
            return;
        }
        List<String> events = new ArrayList<>();
        Matcher matcher = EVENT.matcher(body);
        while (matcher.find()) events.add(matcher.group());
        boolean complete = body.startsWith("[") && body.endsWith("]");
        if (complete) process(events);
        respond(exchange, complete ? 200 : 400, "");
    }

    private static void respond(HttpExchange exchange, int status, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }
}

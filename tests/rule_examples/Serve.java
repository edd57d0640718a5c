// Serves all Java examples of the rules' pages from one process. Stands for the HTTP server, the database and the JSON
// library of a real consumer. `Examples.java`, which is written beside this file, has the frame and the examples.
// Prints its port.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;

class Rejected extends RuntimeException {
    final int status;

    Rejected(int status) {
        super("rejected with " + status);
        this.status = status;
    }
}

class DatabaseError extends RuntimeException {}

/** A JSON object. */
class Event extends LinkedHashMap<String, Object> {}

/** A request as the frame sees it; the names of its headers are in lower case. */
record Request(String method, Map<String, String> headers, InputStream body, Object client) {}

/** A table with a unique key, which survives restarts, and one of states. */
class Database {
    private final Map<String, Event> rows = new LinkedHashMap<>();
    private final ThreadLocal<Map<String, Event>> pending = new ThreadLocal<>();
    final Map<String, Event> state = new ConcurrentHashMap<>();
    volatile boolean isBroken;
    private final Map<Object, ReentrantLock> locks = new ConcurrentHashMap<>();

    /** Stores all that is inserted meanwhile, or nothing of it if an exception is thrown. */
    void transaction(Runnable work) {
        pending.set(new LinkedHashMap<>());
        try {
            work.run();
            commit(pending.get());
        } finally {
            pending.remove();
        }
    }

    /** Stores the row unless there is one with this key, as INSERT … ON CONFLICT DO NOTHING. */
    void insert(String key, Event row) {
        if (pending.get() == null) commit(Map.of(key, row));
        else pending.get().putIfAbsent(key, row);
    }

    /** Stores the row, as INSERT into a table without a unique key. */
    void append(Event row) {
        insert(UUID.randomUUID().toString(), row);
    }

    synchronized boolean has(String key) {
        return rows.containsKey(key) || pending.get() != null && pending.get().containsKey(key);
    }

    /** Locks a row until the request ends. Throws a DatabaseError if that takes too long, as in a deadlock. */
    void lock(Object name) {
        ReentrantLock lock = locks.computeIfAbsent(name, any -> new ReentrantLock());
        try {
            if (!lock.tryLock(500, TimeUnit.MILLISECONDS)) throw new DatabaseError();
        } catch (InterruptedException error) {
            throw new DatabaseError();
        }
    }

    void unlock() {
        for (ReentrantLock lock : locks.values()) while (lock.isHeldByCurrentThread()) lock.unlock();
    }

    synchronized List<Event> rows() {
        return new ArrayList<>(rows.values());
    }

    private synchronized void commit(Map<String, Event> added) {
        if (isBroken) throw new DatabaseError();
        added.forEach(rows::putIfAbsent);
    }
}

/** A JSON library, as Jackson: objects are events, arrays are lists, whole numbers Long or BigInteger. */
class Json {
    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    static Object parse(String text) {
        Json json = new Json(text);
        Object value = json.value();
        json.space();
        if (json.at < text.length()) throw json.wrong();
        return value;
    }

    static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    private static void write(Object value, StringBuilder out) {
        if (value instanceof Map<?, ?> map) {
            String before = "{";
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                out.append(before);
                write(entry.getKey(), out);
                write(entry.getValue(), out.append(':'));
                before = ",";
            }
            out.append(map.isEmpty() ? "{}" : "}");
        } else if (value instanceof Collection<?> list) {
            String before = "[";
            for (Object element : list) {
                write(element, out.append(before));
                before = ",";
            }
            out.append(list.isEmpty() ? "[]" : "]");
        } else if (value instanceof String string) {
            out.append('"');
            for (char c : string.toCharArray()) {
                if (c == '"' || c == '\\') out.append('\\').append(c);
                else if (c < ' ' || Character.isSurrogate(c)) out.append(String.format("\\u%04x", (int) c));
                else out.append(c);
            }
            out.append('"');
        } else {
            out.append(value);
        }
    }

    private Object value() {
        space();
        if (at >= text.length()) throw wrong();
        switch (text.charAt(at)) {
            case '{':
                Event map = new Event();
                if (opens('}')) return map;
                do {
                    space();
                    String name = string();
                    space();
                    expect(':');
                    map.put(name, value());
                } while (goesOn('}'));
                return map;
            case '[':
                List<Object> list = new ArrayList<>();
                if (opens(']')) return list;
                do list.add(value());
                while (goesOn(']'));
                return list;
            case '"':
                return string();
            default:
                return literal();
        }
    }

    private boolean opens(char end) {
        at++;
        space();
        if (at < text.length() && text.charAt(at) == end) {
            at++;
            return true;
        }
        return false;
    }

    private boolean goesOn(char end) {
        space();
        if (at < text.length() && text.charAt(at) == end) {
            at++;
            return false;
        }
        expect(',');
        return true;
    }

    private Object literal() {
        int start = at;
        while (at < text.length() && ",]} \t\r\n".indexOf(text.charAt(at)) < 0) at++;
        String word = text.substring(start, at);
        switch (word) {
            case "null":
                return null;
            case "true":
                return true;
            case "false":
                return false;
            default:
                if (!word.matches("-?(0|[1-9]\\d*)(\\.\\d+)?([eE][+-]?\\d+)?")) throw wrong();
                if (!word.matches("-?\\d+")) return new BigDecimal(word);
                BigInteger number = new BigInteger(word);
                return number.bitLength() < 64 ? (Object) number.longValue() : number;
        }
    }

    private String string() {
        expect('"');
        StringBuilder out = new StringBuilder();
        while (at < text.length() && text.charAt(at) != '"') {
            char c = text.charAt(at++);
            if (c < ' ') throw wrong();
            if (c != '\\') {
                out.append(c);
                continue;
            }
            if (at >= text.length()) throw wrong();
            char escape = text.charAt(at++);
            if (escape == 'u') {
                if (at + 4 > text.length()) throw wrong();
                out.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
                at += 4;
            } else {
                int index = "bfnrt\"\\/".indexOf(escape);
                if (index < 0) throw wrong();
                out.append("\b\f\n\r\t\"\\/".charAt(index));
            }
        }
        expect('"');
        return out.toString();
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
    }

    private void expect(char c) {
        if (at >= text.length() || text.charAt(at) != c) throw wrong();
        at++;
    }

    private IllegalArgumentException wrong() {
        return new IllegalArgumentException("no JSON at character " + at);
    }
}

class Serve {
    /** An example and its database, which survives restarts. */
    private static class Example {
        final Function<Database, Consumer> make;
        final Database db = new Database();
        volatile Consumer consumer;
        volatile CountDownLatch dropping;

        Example(Function<Database, Consumer> make) {
            this.make = make;
            consumer = make.apply(db);
        }
    }

    public static void main(String[] arguments) throws IOException {
        System.setProperty("sun.net.httpserver.nodelay", "true");
        Map<String, Example> examples = new HashMap<>();
        Examples.ALL.forEach((path, make) -> examples.put(path, new Example(make)));
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 100);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", exchange -> respond(exchange, examples));
        server.start();
        System.out.println(server.getAddress().getPort());
    }

    private static void respond(HttpExchange exchange, Map<String, Example> examples) throws IOException {
        String url = exchange.getRequestURI().getPath();
        int end = url.lastIndexOf('/');
        Example example = examples.get(url.substring(1, end));
        Map<String, String> headers = new HashMap<>();
        exchange.getRequestHeaders().forEach((name, values) -> headers.put(name.toLowerCase(), values.get(0)));
        int status = 200;
        String body = "";
        switch (url.substring(end + 1)) {
            case "hook":
                CountDownLatch dropping = example.dropping;
                if (dropping != null) {
                    dropping.countDown();
                    exchange.close();
                    return;
                }
                try {
                    status = example.consumer.handle(
                        new Request(
                        exchange.getRequestMethod(), headers, exchange.getRequestBody(), exchange.getRemoteAddress()));
                } catch (Throwable error) {
                    exchange.close();
                    return;
                } finally {
                    example.db.unlock();
                }
                break;
            case "processed":
                body = Json.write(example.consumer.processed());
                break;
            case "state":
                body = Json.write(example.db.state);
                break;
            case "restart":
                // Drops a request that arrives meanwhile, if there is one, and loses what is in memory.
                example.dropping = new CountDownLatch(1);
                try {
                    example.dropping.await(1, TimeUnit.SECONDS);
                } catch (InterruptedException error) {
                    throw new IOException(error);
                }
                example.consumer = example.make.apply(example.db);
                example.dropping = null;
                break;
            case "break":
                example.db.isBroken = true;
                break;
            case "restore":
                example.db.isBroken = false;
                break;
            default:
                status = 404;
        }
        byte[] content = body.getBytes(StandardCharsets.UTF_8);
        try {
            exchange.getRequestBody().readAllBytes();
            exchange.sendResponseHeaders(status, content.length == 0 ? -1 : content.length);
            if (content.length > 0) exchange.getResponseBody().write(content);
        } catch (IOException error) {
            // The sender has gone.
        }
        exchange.close();
    }
}

# Rack with SQLite, as several processes of Puma run it; an event is known by its text with sorted names.

require "json"
require "rack"
require "sqlite3"

class SqliteConsumer
  EXPECTED = "Basic #{["#{ENV.fetch("CONSUMER_USER")}:#{ENV.fetch("CONSUMER_PASSWORD")}"].pack("m0")}"

  def initialize(path)
    @path = path
    # A statement holds Ruby's lock while it waits for another one, so threads must not wait for each other in SQLite.
    @mutex = Mutex.new
    # Made once, before there are workers, which must not share a connection.
    SQLite3::Database.new(path) do |database|
      database.execute("PRAGMA journal_mode = WAL")
      database.execute("CREATE TABLE IF NOT EXISTS event (known TEXT PRIMARY KEY, payload TEXT NOT NULL)")
    end
  end

  def call(env)
    request = Rack::Request.new(env)
    case [request.request_method, request.path]
    when ["POST", "/hook"] then receive(request)
    when ["GET", "/processed"] then respond(200, "[#{payloads}]")
    else respond(request.path == "/hook" ? 405 : 404)
    end
  end

  private

  def receive(request)
    return respond(401) unless Rack::Utils.secure_compare(request.get_header("HTTP_AUTHORIZATION").to_s, EXPECTED)

    events = JSON.parse(request.body.read.force_encoding("UTF-8"))
    return respond(400) unless events.is_a?(Array) && events.all?(Hash)

    store(events.map { |event| [JSON.generate(event.sort), JSON.generate(event)] })
    respond(200)
  rescue JSON::ParserError, JSON::GeneratorError
    respond(400)
  end

  def store(rows)
    @mutex.synchronize do
      database.transaction(:immediate) do
        rows.each { |row| database.execute("INSERT OR IGNORE INTO event VALUES (?, ?)", row) }
      end
    end
  end

  # Joined by SQLite, with commas.
  def payloads
    @mutex.synchronize { database.get_first_value("SELECT group_concat(payload) FROM event") }
  end

  def database
    @database ||= SQLite3::Database.new(@path).tap { |one| one.busy_timeout = 30_000 }
  end

  def respond(status, body = "")
    headers = { "Content-Type" => "application/json" }
    headers["WWW-Authenticate"] = "Basic" if status == 401
    [status, headers, [body]]
  end
end

run SqliteConsumer.new(ENV.fetch("CONSUMER_STORE"))

# A Rack application: POST /hook stores a batch of events in memory, GET /processed returns the stored events.

require "json"
require "rack"
require "set"

class Hook
  CREDENTIALS = "Basic #{["acme:secret"].pack("m0")}"

  def initialize
    @events = Set.new # each event once; an event has no id, so all its fields together identify it
    @mutex = Mutex.new
  end

  def call(env)
    request = Rack::Request.new(env)
    case [request.request_method, request.path]
    when ["POST", "/hook"] then receive(request)
    when ["GET", "/processed"] then respond(200, @mutex.synchronize { @events.to_a.to_json })
    else respond(request.path == "/hook" ? 405 : 404)
    end
  end

  private

  def receive(request)
    return respond(401) unless Rack::Utils.secure_compare(request.get_header("HTTP_AUTHORIZATION").to_s, CREDENTIALS)

    batch = JSON.parse(request.body.read.force_encoding("UTF-8"))
    return respond(400) unless batch.is_a?(Array) && batch.all?(Hash)

    @mutex.synchronize { @events.merge(batch) }
    respond(200)
  rescue JSON::ParserError
    respond(400)
  end

  def respond(status, body = "")
    headers = { "Content-Type" => "application/json" }
    headers["WWW-Authenticate"] = "Basic" if status == 401
    [status, headers, [body]]
  end
end

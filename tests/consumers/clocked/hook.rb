# A consumer in Ruby that looks at the clock: `hook.rb PORT`; GET /bug/NAME gives it a bug.
require "json"
require "socket"
require "timeout"

DAY = 86_400
KEPT = { "keys-an-hour" => 3_600, "keys-a-day" => DAY }
SEEN = {}
STORED = []
LOCK = Mutex.new
$bug = ""

def become(name)
  $bug = name
  SEEN.clear
  STORED.clear
end

def process(events)
  now = Time.now.to_f
  LOCK.synchronize do
    SEEN.delete_if { |_, at| at < now - KEPT.fetch($bug, 4 * DAY) }
    events.each do |event|
      key = JSON.generate(event)
      next if SEEN.key?(key) || ($bug == "drops-by-clock" && event["created"] < (now - DAY) * 1_000)
      SEEN[key] = now
      STORED << event
    end
  end
end

def monotonic = Process.clock_gettime(Process::CLOCK_MONOTONIC)

def readings
  began = monotonic
  sleep 0.05
  begin
    Timeout.timeout(0.05) { Queue.new.pop }
  rescue Timeout::Error
    { wall: Time.now.to_f, monotonic: monotonic, timer: monotonic - began }
  end
end

def respond_to(method, path, body)
  if method == "GET"
    become(path.delete_prefix("/bug/")) if path.start_with?("/bug/")
    return [200, JSON.generate(path == "/clock" ? readings : STORED)]
  end
  process(JSON.parse(body))
  [200, ""]
rescue JSON::ParserError
  [400, ""]
end

def serve(client)
  while (line = client.gets)
    method, path = line.split
    length = 0
    while (header = client.gets) && header != "\r\n"
      length = header.split(":")[1].to_i if header =~ /\Acontent-length:/i
    end
    status, text = respond_to(method, path, client.read(length).to_s)
    client.write("HTTP/1.1 #{status} -\r\nContent-Length: #{text.bytesize}\r\n\r\n#{text}")
  end
rescue SystemCallError, IOError
  nil
ensure
  client.close
end

server = TCPServer.new("127.0.0.1", ARGV[0].to_i)
loop { Thread.new(server.accept) { |client| serve(client) } }

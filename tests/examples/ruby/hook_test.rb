require "minitest/autorun"
require "open3"
require "puma"
require_relative "hook"

class HookTest < Minitest::Test
  def test_hook_is_compliant
    server = Puma::Server.new(Hook.new)
    url = "http://127.0.0.1:#{server.add_tcp_listener("127.0.0.1", 0).addr[1]}"
    server.run
    said, status = Open3.capture2e("mockcampaign", "check", "#{url}/hook", "--probe", "#{url}/processed",
                                   "--basic-auth", "acme:secret", "--seed", "1", "--quiet")
    server.stop(true)
    assert status.success?, said
  end
end

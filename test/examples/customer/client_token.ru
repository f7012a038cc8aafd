# The client-token endpoint of a customer's site, a Rack app: POST /api/client-token. Try it: puma client_token.ru
require "json"
require "net/http"
require "rack"
ISSUER, SECRET = ENV.fetch("CLAIMGATE_ISSUER"), ENV.fetch("CLAIMGATE_ACCOUNT_TOKEN")
SITE, API = ENV.fetch("SITE_ORIGIN"), ENV.fetch("CLAIMGATE_API_URL")

# Replace it by your own check of the visitor's session.
def signed_in?(request) = request.cookies["session"] == "1"

def answer(status, body, more = {})
  [status, { "content-type" => "application/json", "cache-control" => "no-store" }.merge(more), [body.to_json]]
end

def claim(parameters)
  uri, headers = URI("#{ISSUER}/auth/claim"), { "Authorization" => "Bearer #{SECRET}", "Content-Type" => "application/json" }
  Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == "https", open_timeout: 5, read_timeout: 5) { |http| http.post(uri.path, parameters.to_json, headers) }
end

run(lambda do |env|
  request = Rack::Request.new(env)
  next answer(404, { error: "not_found" }) unless request.post? && request.path == "/api/client-token"
  origin_error = env["HTTP_ORIGIN"] ? "origin_not_allowed" : "origin_required"
  next answer(403, { error: origin_error }) unless env["HTTP_ORIGIN"] == SITE
  next answer(401, { error: "unauthorized" }) unless signed_in?(request)
  text = request.body.read(1024).to_s
  body = text.empty? ? {} : (JSON.parse(text) rescue nil)
  next answer(400, { error: "invalid_request" }) unless body.is_a?(Hash)
  claimed = begin
    claim({ origin: SITE, jkt: body["jkt"] }.compact)
  rescue IOError, SystemCallError, SocketError, Timeout::Error, OpenSSL::SSL::SSLError => error
    warn "no client token: #{error.class}"
    next answer(504, { error: "gateway_timeout" })
  end
  token = JSON.parse(claimed.body).slice("token", "expiresIn", "tokenType") if claimed.code == "200"
  next answer(200, token.merge(config: { baseUrl: API })) if token
  warn "no client token: #{claimed.code} #{claimed.body[0, 2000]}" # for your log, not for the page
  next answer(502, { error: "bad_gateway" }) unless %w[429 503].include?(claimed.code)
  answer(503, { error: "unavailable" }, { "retry-after" => claimed["retry-after"] }.compact)
end)

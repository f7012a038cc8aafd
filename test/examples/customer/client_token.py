"""The client-token endpoint of a customer's site with Python's standard library: POST /api/client-token."""
import json, os, urllib.error, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ISSUER, SECRET = os.environ["CLAIMGATE_ISSUER"], os.environ["CLAIMGATE_ACCOUNT_TOKEN"]
SITE, API = os.environ["SITE_ORIGIN"], os.environ["CLAIMGATE_API_URL"]

def is_signed_in(cookie):  # replace it by your own check of the visitor's session
    return "session=1" in (cookie or "")

class Endpoint(BaseHTTPRequestHandler):
    def do_POST(self):
        if self.path != "/api/client-token": return self.answer(404, {"error": "not_found"})
        if self.headers["Origin"] != SITE: return self.answer(403, {"error": "origin_not_allowed"})
        if not is_signed_in(self.headers["Cookie"]): return self.answer(401, {"error": "unauthorized"})
        try:
            body = self.rfile.read(min(int(self.headers["Content-Length"] or 0), 1024))
            jkt = json.loads(body).get("jkt") if body else None
        except (ValueError, AttributeError): return self.answer(400, {"error": "invalid_request"})
        claim = json.dumps({"origin": SITE, **({"jkt": jkt} if jkt else {})}).encode()
        headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
        try:
            claimed = json.load(urllib.request.urlopen(urllib.request.Request(f"{ISSUER}/auth/claim", claim, headers), timeout=5))
        except urllib.error.HTTPError as error:
            print("no client token:", error.code, error.read(2000), flush=True)  # for your log, not for the page
            if error.code in (429, 503): return self.answer(503, {"error": "unavailable"}, error.headers["Retry-After"])
            return self.answer(502, {"error": "bad_gateway"})
        except OSError as error:
            print("no client token:", error, flush=True)
            return self.answer(504, {"error": "gateway_timeout"})
        self.answer(200, {**{name: claimed[name] for name in ("token", "expiresIn", "tokenType")}, "config": {"baseUrl": API}})

    def answer(self, status, body, retry_after=None):
        self.send_response(status)
        for name, value in [("Content-Type", "application/json"), ("Cache-Control", "no-store")]: self.send_header(name, value)
        if retry_after: self.send_header("Retry-After", retry_after)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 8000))), Endpoint).serve_forever()

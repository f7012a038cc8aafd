"""The client-token endpoint of a customer's site with Python's standard library: POST /api/client-token."""
import json, os, urllib.error, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
ISSUER, SECRET = os.environ["CLAIMGATE_ISSUER"], os.environ["CLAIMGATE_ACCOUNT_TOKEN"]
SITE, API = os.environ["SITE_ORIGIN"], os.environ["CLAIMGATE_API_URL"]

def is_signed_in(cookie): return "session=1" in (cookie or "")  # replace it by your own check of the visitor's session

class NoRedirect(urllib.request.HTTPRedirectHandler): redirect_request = lambda *_: None  # keeps the secret at the issuer

class Endpoint(BaseHTTPRequestHandler):
    def do_POST(self):
        if self.path != "/api/client-token": return self.answer(404, {"error": "not_found"})
        origin = self.headers["Origin"]
        if origin != SITE: return self.answer(403, {"error": "origin_not_allowed" if origin else "origin_required"})
        if not is_signed_in(self.headers["Cookie"]): return self.answer(401, {"error": "unauthorized"})
        try:
            jkt = json.loads(self.rfile.read(min(int(self.headers["Content-Length"] or 0), 1024)) or "{}").get("jkt")
        except (ValueError, AttributeError): return self.answer(400, {"error": "invalid_request"})
        try:
            claim = json.dumps({"origin": SITE, **({"jkt": jkt} if jkt else {})}).encode()
            headers = {"Authorization": f"Bearer {SECRET}", "Content-Type": "application/json"}
            request = urllib.request.Request(f"{ISSUER}/auth/claim", claim, headers)
            claimed = json.load(urllib.request.build_opener(NoRedirect).open(request, timeout=5))
        except urllib.error.HTTPError as error:
            print("no client token:", error.code, error.read(2000), flush=True)  # for your log, not for the page
            if error.code in (429, 503): return self.answer(503, {"error": "unavailable"}, error.headers["Retry-After"])
            return self.answer(502, {"error": "bad_gateway"})
        except OSError as error:
            return print("no client token:", error, flush=True) or self.answer(504, {"error": "gateway_timeout"})
        self.answer(200, {**{name: claimed[name] for name in ("token", "expiresIn", "tokenType")}, "config": {"baseUrl": API}})

    def answer(self, status, body, retry_after=None):
        self.send_response(status)
        for name, value in [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Retry-After", retry_after)]:
            if value: self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", 8000))), Endpoint).serve_forever()

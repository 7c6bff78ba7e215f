"""A stand-in for the imaginary service, on http://127.0.0.1:8787. Its key is let-me-in."""

import http.server
import json

BADGES = {"B1042": {"id": "B1042", "holder": "Ada Park", "state": "active"}}
STATES = {"block": "blocked", "unblock": "active"}


class Doors(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.headers["Authorization"] != "Bearer let-me-in":
            return self.answer(401, {"error": {"code": "bad-key", "message": "no such key"}})
        if self.path == "/v1/badges?limit=1":
            return self.answer(200, {"badges": list(BADGES.values())[:1]})
        badge, _, route = self.path.removeprefix("/v1/badges/").partition("/")
        if badge not in BADGES:
            return self.answer(404, {"error": {"code": "badge-not-found", "message": "no such badge"}})
        if self.command == "POST":
            BADGES[badge]["state"] = STATES[route]
        self.answer(200, BADGES[badge])

    do_POST = do_GET

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.HTTPServer(("127.0.0.1", 8787), Doors).serve_forever()

// The client-token endpoint of a customer's site with Go's standard library: POST /api/client-token.
package main
import ("bytes"; "encoding/json"; "io"; "log"; "net/http"; "os"; "time")
var issuer, secret = os.Getenv("CLAIMGATE_ISSUER"), os.Getenv("CLAIMGATE_ACCOUNT_TOKEN")
var site, api = os.Getenv("SITE_ORIGIN"), os.Getenv("CLAIMGATE_API_URL")
var issuerClient = http.Client{Timeout: 5 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func isSignedIn(r *http.Request) bool { // replace it by your own check of the visitor's session
	cookie, err := r.Cookie("session")
	return err == nil && cookie.Value == "1"
}

func endpoint(w http.ResponseWriter, r *http.Request) {
	answer := func(status int, body any) {
		w.Header().Set("Content-Type", "application/json"); w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status); json.NewEncoder(w).Encode(body)
	}
	fail := func(status int, code string) { answer(status, map[string]string{"error": code}) }
	origin, given, claim := r.Header.Get("Origin"), map[string]any{}, map[string]any{"origin": site}
	if origin == "" { fail(403, "origin_required"); return }
	if origin != site { fail(403, "origin_not_allowed"); return }
	if !isSignedIn(r) { fail(401, "unauthorized"); return }
	if err := json.NewDecoder(io.LimitReader(r.Body, 1024)).Decode(&given); err != nil && err != io.EOF || given == nil { fail(400, "invalid_request"); return }
	if given["jkt"] != nil { claim["jkt"] = given["jkt"] }
	body, _ := json.Marshal(claim)
	request, _ := http.NewRequest("POST", issuer+"/auth/claim", bytes.NewReader(body))
	request.Header = http.Header{"Authorization": {"Bearer " + secret}, "Content-Type": {"application/json"}}
	got, err := issuerClient.Do(request)
	if err != nil { log.Println("no client token:", err); fail(504, "gateway_timeout"); return }
	defer got.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(got.Body, 65536))
	var claimed map[string]any
	if got.StatusCode == 200 && json.Unmarshal(text, &claimed) == nil { answer(200, map[string]any{"token": claimed["token"], "expiresIn": claimed["expiresIn"], "tokenType": claimed["tokenType"], "config": map[string]string{"baseUrl": api}}); return }
	log.Printf("no client token: %d %.2000s", got.StatusCode, text) // for your log, not for the page
	if got.StatusCode != 429 && got.StatusCode != 503 { fail(502, "bad_gateway"); return }
	w.Header().Set("Retry-After", got.Header.Get("Retry-After")); fail(503, "unavailable")
}

func main() { http.HandleFunc("/api/client-token", endpoint); log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)) }

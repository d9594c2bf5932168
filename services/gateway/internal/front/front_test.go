package front

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func newTestEdge(t *testing.T) *edge {
	t.Helper()
	return newEdge([]string{"https://console.example"}, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, 100, prometheus.NewRegistry())
}

func answerOf(t *testing.T, request *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	newTestEdge(t).wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("ok " + r.Header.Get("X-Request-Id")))
	})).ServeHTTP(answer, request)
	return answer
}

func post(kind, body string) *http.Request {
	request := httptest.NewRequest(http.MethodPost, "/v1/auth:login", strings.NewReader(body))
	request.Header.Set("Content-Type", kind)
	return request
}

func TestOnlyJSONIsTaken(t *testing.T) {
	for kind, code := range map[string]int{
		"application/json": 200, "application/json; charset=utf-8": 200, "Application/JSON": 200,
		"text/plain": 415, "application/x-www-form-urlencoded": 415, "multipart/form-data; boundary=x": 415, "": 415,
	} {
		if got := answerOf(t, post(kind, "{}")).Code; got != code {
			t.Errorf("%q answered %d, not %d", kind, got, code)
		}
	}
}

func TestPagesOfOtherOriginsAreRefused(t *testing.T) {
	for origin, code := range map[string]int{"https://console.example": 200, "https://evil.example": 403, "null": 403, "http://example.com": 200, "": 200} {
		request := post("application/json", "{}")
		if origin != "" {
			request.Header.Set("Origin", origin)
		}
		answer := answerOf(t, request)
		if answer.Code != code {
			t.Errorf("%q answered %d, not %d", origin, answer.Code, code)
		}
		if allowed := answer.Header().Get("Access-Control-Allow-Origin"); (allowed != "") != (origin == "https://console.example") {
			t.Errorf("%q was told %q", origin, allowed)
		}
	}
}

func TestAPreflightIsAnsweredForKnownOriginsOnly(t *testing.T) {
	for origin, allowed := range map[string]bool{"https://console.example": true, "https://evil.example": false} {
		request := httptest.NewRequest(http.MethodOptions, "/v1/projects", nil)
		request.Header.Set("Origin", origin)
		request.Header.Set("Access-Control-Request-Method", "POST")
		answer := answerOf(t, request)
		if got := answer.Header().Get("Access-Control-Allow-Methods") != ""; answer.Code != http.StatusNoContent || got != allowed {
			t.Errorf("%q: %d %v", origin, answer.Code, answer.Header())
		}
	}
}

func TestAHarmlessRequestIDIsKeptAndAnyOtherReplaced(t *testing.T) {
	for offered, kept := range map[string]bool{"abc-1_2": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false, "a b": false, "a\"b": false, "": false} {
		request := httptest.NewRequest(http.MethodGet, "/healthz", nil)
		request.Header.Set("X-Request-Id", offered)
		got := answerOf(t, request).Header().Get("X-Request-Id")
		if (got == offered) != kept || got == "" {
			t.Errorf("%q became %q", offered, got)
		}
	}
}

func TestOnlyATrustedProxyIsBelieved(t *testing.T) {
	front := newTestEdge(t)
	for _, row := range []struct{ remote, forwarded, expected string }{
		{"192.0.2.7:1", "198.51.100.9", "192.0.2.7"},
		{"10.1.1.1:1", "198.51.100.9", "198.51.100.9"},
		{"10.1.1.1:1", "203.0.113.1, 198.51.100.9", "198.51.100.9"}, // what the caller wrote in front counts for nothing
		{"10.1.1.1:1", "198.51.100.9, 10.2.2.2", "198.51.100.9"},
		{"10.1.1.1:1", "", "10.1.1.1"},
	} {
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.RemoteAddr = row.remote
		request.Header.Set("X-Forwarded-For", row.forwarded)
		if got := front.clientAddress(request); got != row.expected {
			t.Errorf("%+v gave %s", row, got)
		}
	}
}

func TestAPanicIsAnInternalErrorWithoutWords(t *testing.T) {
	answer := httptest.NewRecorder()
	newTestEdge(t).wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret") })).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	if answer.Code != http.StatusInternalServerError || strings.Contains(answer.Body.String(), "secret") || !json.Valid(answer.Body.Bytes()) {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
}

func TestAMetricHasNoResourceNames(t *testing.T) {
	for path, expected := range map[string]string{
		"/": "/",
		"/v1/projects/abc/assets/xyz/versions/3:analyzeMotion": "/v1/projects/*/assets/*/versions/*:analyzeMotion",
		"/v1/projects/abc/assets/xyz":                          "/v1/projects/*/assets/*",
		"/v1/auth:login":                                       "/v1/auth:login",
		"/v1/blobs":                                            "/v1/blobs",
		"/v1/live:observe":                                     "/v1/live:observe",
	} {
		if got := endpointOf(path); got != expected {
			t.Errorf("%s became %s", path, got)
		}
	}
}

func TestWhatACallerMakesUpMakesNoNewTimeSeries(t *testing.T) {
	for _, path := range []string{"/v1/" + strings.Repeat("a", 99), "/v1/auth:abc", "/v1/assets/projects", "/v1/projects/abc:" + strings.Repeat("a", 20), "/a/b/c/d/e/f/g/h/i", "/v1/\xff"} {
		if got := endpointOf(path); got != other {
			t.Errorf("%s became %s", path, got)
		}
	}
	registry := prometheus.NewRegistry()
	front := newEdge(nil, nil, 100, registry)
	handler := front.wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, method := range []string{"A", "B", "BREW", "get"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/healthz", nil))
	}
	gathered, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range gathered {
		if len(family.GetMetric()) != 1 {
			t.Errorf("%s has %d series", family.GetName(), len(family.GetMetric()))
		}
	}
}

func TestAPathThatIsNotTextIsRefused(t *testing.T) {
	if answer := answerOf(t, httptest.NewRequest(http.MethodGet, "/v1/projects/%ff/assets", nil)); answer.Code != http.StatusBadRequest {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}

func TestABodyThatComesTooSlowlyEnds(t *testing.T) {
	read := make(chan error, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := newTimedBody(w, r.Body, 100*time.Millisecond)
		_, err := io.ReadAll(body)
		read <- err
	}))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck  the test is over
	if _, err := conn.Write([]byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n{")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-read:
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the body ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the body never ended")
	}
}

func TestASlowBodyThatNobodyReadsHoldsNoConnection(t *testing.T) {
	for name, reads := range map[string]bool{"refused at once": false, "read until it was too slow": true} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body := newTimedBody(w, r.Body, 100*time.Millisecond)
			if reads {
				_, _ = io.ReadAll(body)
			}
			w.WriteHeader(http.StatusUnsupportedMediaType)
		}))
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		go func() { // a byte now and then, as a client that only wants to hold the connection
			_, err := conn.Write([]byte("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n"))
			for err == nil {
				time.Sleep(20 * time.Millisecond)
				_, err = conn.Write([]byte("{"))
			}
		}()
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: the connection was kept", name)
		}
		_ = conn.Close()
		server.Close()
	}
}

func TestAnAnswerMayTakeLongerThanItsBody(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := newTimedBody(w, r.Body, 50*time.Millisecond)
		_, _ = io.ReadAll(body)
		select {
		case <-r.Context().Done():
			w.WriteHeader(http.StatusTeapot)
		case <-time.After(300 * time.Millisecond):
		}
	}))
	defer server.Close()
	answer, err := http.Post(server.URL, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck  nothing is in it
	if answer.StatusCode != http.StatusOK {
		t.Errorf("the call was ended: %d", answer.StatusCode)
	}
}

func TestSecurityHeadersAreOnEveryAnswer(t *testing.T) {
	header := answerOf(t, httptest.NewRequest(http.MethodGet, "/healthz", nil)).Header()
	for name, expected := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"} {
		if header.Get(name) != expected {
			t.Errorf("%s is %q", name, header.Get(name))
		}
	}
}

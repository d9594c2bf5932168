package pages

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func TestWhatIsServedUnderWhichAddress(t *testing.T) {
	files := fstest.MapFS{
		"index.html":          {Data: []byte("<!doctype html>the console")},
		"icon.svg":            {Data: []byte("<svg/>")},
		"static/main-abc1.js": {Data: []byte("script")},
	}
	missing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	handler := New(files, missing)
	person := map[string]string{"Sec-Fetch-Mode": "navigate"}
	for _, row := range []struct {
		path, method string
		headers      map[string]string
		code         int
		body, cache  string
	}{
		{"/", "GET", nil, 200, "the console", "no-cache"},
		{"/projects/demo/assets/abc", "GET", person, 200, "the console", "no-cache"},
		{"/projects/demo/assets/abc", "GET", map[string]string{"Accept": "text/html,*/*"}, 200, "the console", "no-cache"},
		{"/projects/demo/assets/abc", "GET", map[string]string{"Accept": "*/*"}, 404, "", ""},
		{"/projects/demo", "GET", map[string]string{"Sec-Fetch-Mode": "cors", "Accept": "text/html"}, 404, "", ""},
		{"/projects/demo", "POST", person, 404, "", ""},
		{"/static/main-abc1.js", "GET", nil, 200, "script", forever},
		{"/static/main-old9.js", "GET", person, 404, "", ""},
		{"/icon.svg", "GET", nil, 200, "<svg/>", "no-cache"},
		{"/../../etc/passwd", "GET", nil, 404, "", ""},
		{"/static", "GET", nil, 404, "", ""},
	} {
		request := httptest.NewRequest(row.method, row.path, nil)
		for name, value := range row.headers {
			request.Header.Set(name, value)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code != row.code || !strings.Contains(answer.Body.String(), row.body) || answer.Header().Get("Cache-Control") != row.cache {
			t.Errorf("%s %s: %d %q %v", row.method, row.path, answer.Code, answer.Body, answer.Header())
		}
		if row.code == 200 && answer.Header().Get("Content-Security-Policy") != policy {
			t.Errorf("%s has the policy %q", row.path, answer.Header().Get("Content-Security-Policy"))
		}
	}
}

func TestWhatTheBuildCompressedIsSentSo(t *testing.T) {
	files := fstest.MapFS{"static/a.js": {Data: []byte("script")}, "static/a.js.gz": {Data: []byte("zipped")}, "static/b.js": {Data: []byte("small")}}
	handler := New(files, http.NotFoundHandler())
	for _, row := range []struct{ path, accept, ranged, body, encoding string }{
		{"/static/a.js", "gzip, br", "", "zipped", "gzip"},
		{"/static/a.js", "br", "", "script", ""},
		{"/static/a.js", "gzip", "bytes=0-2", "scr", ""},
		{"/static/b.js", "gzip", "", "small", ""},
	} {
		request := httptest.NewRequest("GET", row.path, nil)
		request.Header.Set("Accept-Encoding", row.accept)
		if row.ranged != "" {
			request.Header.Set("Range", row.ranged)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Body.String() != row.body || answer.Header().Get("Content-Encoding") != row.encoding || !strings.HasPrefix(answer.Header().Get("Content-Type"), "text/javascript") {
			t.Errorf("%+v gave %q %v", row, answer.Body, answer.Header())
		}
	}
}

func TestScriptsRunFromFilesAlone(t *testing.T) {
	for _, directive := range strings.Split(policy, "; ") {
		if strings.HasPrefix(directive, "script-src") && (strings.Contains(directive, "unsafe-inline") || strings.Contains(directive, "'unsafe-eval'")) {
			t.Error(directive)
		}
	}
}

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

func TestScriptsRunFromFilesAlone(t *testing.T) {
	for _, directive := range strings.Split(policy, "; ") {
		if strings.HasPrefix(directive, "script-src") && (strings.Contains(directive, "unsafe-inline") || strings.Contains(directive, "'unsafe-eval'")) {
			t.Error(directive)
		}
	}
}

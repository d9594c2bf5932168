package session

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	authv1 "praxiscope/gateway/gen/praxiscope/auth/v1"
	"praxiscope/gateway/internal/status"
)

type fakeEdge struct{ secure bool }

func (fakeEdge) Metadata(*http.Request) metadata.MD {
	return metadata.Pairs("authorization", "Bearer of the cookie")
}
func (e fakeEdge) IsSecure(*http.Request) bool { return e.secure }

// fakeTokens is auth as far as a session needs it: every refresh token works once.
type fakeTokens struct {
	authv1.TokenServiceClient
	mutex      sync.Mutex
	used       map[string]bool
	loggedOut  []string
	expired    bool
	refreshing time.Duration
}

func (f *fakeTokens) answer(refresh string) *authv1.TokenSet {
	return &authv1.TokenSet{
		AccessToken: "access of " + refresh, RefreshToken: refresh, Project: "projects/demo", Subject: "users/u",
		ExpireTime: timestamppb.New(time.Now().Add(time.Hour)), RefreshExpireTime: timestamppb.New(time.Now().Add(24 * time.Hour)),
	}
}

func (f *fakeTokens) Login(_ context.Context, in *authv1.LoginRequest, _ ...grpc.CallOption) (*authv1.TokenSet, error) {
	if in.GetPassword() != "right" {
		return nil, status.New(codes.Unauthenticated, "INVALID_CREDENTIALS", "No.")
	}
	return f.answer("first"), nil
}

func (f *fakeTokens) ExchangeApiKey(_ context.Context, in *authv1.ExchangeApiKeyRequest, _ ...grpc.CallOption) (*authv1.TokenSet, error) {
	return &authv1.TokenSet{AccessToken: "short", Project: "projects/demo", Subject: "key"}, nil
}

func (f *fakeTokens) RefreshToken(_ context.Context, in *authv1.RefreshTokenRequest, _ ...grpc.CallOption) (*authv1.TokenSet, error) {
	time.Sleep(f.refreshing)
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.used == nil {
		f.used = map[string]bool{}
	}
	if f.used[in.GetRefreshToken()] {
		return nil, status.New(codes.Unauthenticated, "REFRESH_TOKEN_REUSED", "Again.")
	}
	f.used[in.GetRefreshToken()] = true
	return f.answer("second"), nil
}

func (f *fakeTokens) Logout(ctx context.Context, _ *authv1.LogoutRequest, _ ...grpc.CallOption) (*authv1.LogoutResponse, error) {
	carried, _ := metadata.FromOutgoingContext(ctx)
	token := strings.Join(carried.Get("authorization"), ",")
	if f.expired && token == "Bearer old" {
		return nil, status.New(codes.Unauthenticated, "INVALID_TOKEN", "Ended.")
	}
	f.loggedOut = append(f.loggedOut, token)
	return &authv1.LogoutResponse{}, nil
}

func newTestHandler(tokens *fakeTokens) *Handler {
	made := New(nil, fakeEdge{})
	made.tokens = tokens
	return made
}

func ask(handler http.Handler, path, body string, cookies map[string]string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	request.Header.Set("Origin", "http://example.com")
	for name, value := range cookies {
		request.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer
}

func cookiesOf(answer *httptest.ResponseRecorder) map[string]*http.Cookie {
	found := map[string]*http.Cookie{}
	for _, cookie := range answer.Result().Cookies() {
		found[cookie.Name] = cookie
	}
	return found
}

func TestTokensGoIntoCookiesThatNoScriptReads(t *testing.T) {
	for _, secure := range []bool{false, true} {
		handler := newTestHandler(&fakeTokens{})
		handler.edge = fakeEdge{secure: secure}
		answer := ask(handler, Path, `{"email":"a@b.example","password":"right"}`, nil)
		if answer.Code != http.StatusOK || strings.Contains(answer.Body.String(), "access of") || !strings.Contains(answer.Body.String(), `"canRenew":true`) {
			t.Fatalf("%d %s", answer.Code, answer.Body)
		}
		for name, path := range map[string]string{accessCookie: "/", refreshCookie: Path} {
			cookie := cookiesOf(answer)[name]
			if cookie == nil || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != path || cookie.Secure != secure || cookie.Value == "" {
				t.Errorf("%s is %v", name, cookie)
			}
		}
	}
}

func TestAWrongPasswordGivesNoCookie(t *testing.T) {
	answer := ask(newTestHandler(&fakeTokens{}), Path, `{"email":"a@b.example","password":"wrong"}`, nil)
	if answer.Code != http.StatusUnauthorized || len(cookiesOf(answer)) != 0 {
		t.Fatalf("%d %v", answer.Code, answer.Header())
	}
}

func TestAKeyIsKeptItself(t *testing.T) {
	answer := ask(newTestHandler(&fakeTokens{}), Path, `{"apiKey":"pxk_secret"}`, map[string]string{refreshCookie: "old"})
	cookies := cookiesOf(answer)
	if answer.Code != http.StatusOK || cookies[accessCookie].Value != "pxk_secret" || cookies[refreshCookie].MaxAge > 0 || cookies[refreshCookie].Value != "" {
		t.Fatalf("%d %v", answer.Code, answer.Header())
	}
}

func TestOnlyOurPagesAndPostsAreTaken(t *testing.T) {
	handler := newTestHandler(&fakeTokens{})
	for _, origin := range []string{"", "null", "https://evil.example", "http://example.com:81"} {
		request := httptest.NewRequest(http.MethodPost, Path, strings.NewReader(`{"email":"a@b.example","password":"right"}`))
		request.Header.Set("Origin", origin)
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code != http.StatusForbidden || len(cookiesOf(answer)) != 0 {
			t.Errorf("%q: %d", origin, answer.Code)
		}
	}
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, Path, nil))
	if answer.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", answer.Code)
	}
	for body, code := range map[string]int{`{"tokens":1}`: 400, `[`: 400, ``: 401} {
		if got := ask(handler, Path, body, nil).Code; got != code {
			t.Errorf("%q: %d", body, got)
		}
	}
}

func TestWindowsThatRenewTogetherGetOneAnswer(t *testing.T) {
	tokens := &fakeTokens{refreshing: 20 * time.Millisecond}
	handler := newTestHandler(tokens)
	var windows sync.WaitGroup
	answers := make(chan string, 8)
	for range 8 {
		windows.Go(func() {
			answer := ask(handler, Path+"/renew", "{}", map[string]string{refreshCookie: "first"})
			answers <- cookiesOf(answer)[refreshCookie].Value
		})
	}
	windows.Wait()
	close(answers)
	for value := range answers {
		if value != "second" {
			t.Fatalf("a window got %q", value)
		}
	}
	// A browser that did not get the answer asks again.
	if answer := ask(handler, Path+"/renew", "{}", map[string]string{refreshCookie: "first"}); answer.Code != http.StatusOK {
		t.Fatalf("asked again: %d", answer.Code)
	}
}

func TestASessionThatIsOverIsForgotten(t *testing.T) {
	tokens := &fakeTokens{used: map[string]bool{"first": true}}
	answer := ask(newTestHandler(tokens), Path+"/renew", "{}", map[string]string{refreshCookie: "first"})
	cookies := cookiesOf(answer)
	if answer.Code != http.StatusUnauthorized || cookies[accessCookie].Value != "" || cookies[refreshCookie].Value != "" {
		t.Fatalf("%d %v", answer.Code, answer.Header())
	}
	if answer := ask(newTestHandler(tokens), Path+"/renew", "{}", nil); answer.Code != http.StatusUnauthorized || !strings.Contains(answer.Body.String(), "NO_SESSION") {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
}

func TestSigningOutEndsTheSessionEvenWithAnOldToken(t *testing.T) {
	for name, row := range map[string]struct {
		cookies  map[string]string
		expired  bool
		expected string
	}{
		"in time":  {map[string]string{accessCookie: "old", refreshCookie: "first"}, false, "Bearer old"},
		"too late": {map[string]string{accessCookie: "old", refreshCookie: "first"}, true, "Bearer access of second"},
		"a key":    {map[string]string{accessCookie: "pxk_secret"}, false, ""},
	} {
		tokens := &fakeTokens{expired: row.expired}
		answer := ask(newTestHandler(tokens), Path+"/end", "", row.cookies)
		if answer.Code != http.StatusNoContent || cookiesOf(answer)[accessCookie].Value != "" || strings.Join(tokens.loggedOut, ",") != row.expected {
			t.Errorf("%s: %d, %v", name, answer.Code, tokens.loggedOut)
		}
	}
}

func TestACookieCountsForOurPagesOnly(t *testing.T) {
	for _, row := range []struct {
		name, method string
		headers      map[string]string
		expected     string
	}{
		{"a read", http.MethodGet, nil, "token"},
		{"a read from elsewhere", http.MethodGet, map[string]string{"Sec-Fetch-Site": "cross-site"}, ""},
		{"a read from another port", http.MethodGet, map[string]string{"Sec-Fetch-Site": "same-site"}, ""},
		{"a write of ours", http.MethodPost, map[string]string{"Origin": "http://example.com", "Sec-Fetch-Site": "same-origin"}, "token"},
		{"a write without an origin", http.MethodPost, nil, ""},
		{"a write from elsewhere", http.MethodPost, map[string]string{"Origin": "https://evil.example"}, ""},
		{"a call with its own key", http.MethodGet, map[string]string{"X-Api-Key": "pxk_x"}, ""},
		{"a call with its own token", http.MethodGet, map[string]string{"Authorization": "Bearer x"}, ""},
	} {
		request := httptest.NewRequest(row.method, "/v1/projects", nil)
		request.AddCookie(&http.Cookie{Name: accessCookie, Value: "token"})
		for name, value := range row.headers {
			request.Header.Set(name, value)
		}
		if got := Credential(request); got != row.expected {
			t.Errorf("%s gave %q", row.name, got)
		}
	}
}

// Package session keeps what a signed-in browser holds in cookies that no script can read: an access token or an API key for the calls, and the refresh token for
// this package alone. A call that brings a credential of its own is never given another.
package session

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"

	authv1 "praxiscope/gateway/gen/praxiscope/auth/v1"
	"praxiscope/gateway/internal/status"
)

// Path is where a browser signs in; renewing and ending are below it.
const Path = "/session"

const (
	accessCookie  = "praxiscope-access"
	refreshCookie = "praxiscope-refresh"
	apiKeyPrefix  = "pxk_"
	// How long a renewal's answer is given again: to a second window that asked at the same time, and to a browser whose connection broke before it had the answer.
	// A second use of a refresh token would end the session, as theft would look the same.
	answerKept   = 10 * time.Second
	renewTimeout = 20 * time.Second
)

// Edge is what the front knows of a request.
type Edge interface {
	// Metadata returns what goes along with a call, credentials included.
	Metadata(r *http.Request) metadata.MD
	// IsSecure says whether the browser came over TLS, as far as we or a trusted proxy know.
	IsSecure(r *http.Request) bool
}

// Handler signs browsers in and out.
type Handler struct {
	tokens authv1.TokenServiceClient
	edge   Edge
	mutex  sync.Mutex
	kept   map[[sha256.Size]byte]*renewal
}

type renewal struct {
	done   chan struct{}
	answer *authv1.TokenSet
	err    error
}

// New returns a handler that asks auth over conn, which limits rates.
func New(conn grpc.ClientConnInterface, edge Edge) *Handler {
	return &Handler{tokens: authv1.NewTokenServiceClient(conn), edge: edge, kept: map[[sha256.Size]byte]*renewal{}}
}

// signIn is what a browser sends: an e-mail address and a password, or an API key.
type signIn struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	Project  string `json:"project"`
	APIKey   string `json:"apiKey"`
}

// signedIn is what it is told; the tokens are in the cookies.
type signedIn struct {
	Subject     string   `json:"subject"`
	Project     string   `json:"project"`
	Permissions []string `json:"permissions"`
	ExpireTime  string   `json:"expireTime,omitempty"`
	CanRenew    bool     `json:"canRenew"`
}

// ServeHTTP signs in (POST /session), renews (POST /session/renew) and signs out (POST /session/end).
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var err error
	switch {
	case r.Method != http.MethodPost:
		err = status.New(codes.Unimplemented, "METHOD_NOT_ALLOWED", r.Method+" is not for this path.")
	case !isOfOurPage(r):
		err = status.New(codes.PermissionDenied, "ORIGIN_NOT_ALLOWED", "Sessions are for our own pages; programs send a token or an API key.")
	case r.URL.Path == Path:
		err = h.begin(w, r)
	case r.URL.Path == Path+"/renew":
		err = h.renew(w, r)
	case r.URL.Path == Path+"/end":
		h.end(w, r)
	default:
		err = status.New(codes.NotFound, "PATH_NOT_FOUND", "There is nothing under this path.")
	}
	if err != nil {
		status.Write(w, err)
	}
}

// Credential returns what a page's call is made with, where the call brings nothing itself. Whatever changes something must come from a page of ours.
func Credential(r *http.Request) string {
	if r.Header.Get("Authorization") != "" || r.Header.Get("X-Api-Key") != "" {
		return ""
	}
	isRead := r.Method == http.MethodGet || r.Method == http.MethodHead
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" || !isRead && !isOfOurPage(r) {
		return ""
	}
	cookie, err := r.Cookie(accessCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

func isOfOurPage(r *http.Request) bool {
	_, host, found := strings.Cut(r.Header.Get("Origin"), "://")
	return found && strings.EqualFold(host, r.Host)
}

func (h *Handler) begin(w http.ResponseWriter, r *http.Request) error {
	var asked signIn
	if err := read(r, &asked); err != nil {
		return err
	}
	ctx := h.callContext(r, "")
	if asked.APIKey != "" {
		answer, err := h.tokens.ExchangeApiKey(ctx, &authv1.ExchangeApiKeyRequest{ApiKey: asked.APIKey})
		if err != nil {
			return err
		}
		// The key itself stays, as its tokens end within the hour; the gateway swaps it on each call.
		h.setCookie(w, r, accessCookie, "/", asked.APIKey, time.Time{})
		h.setCookie(w, r, refreshCookie, Path, "", time.Unix(1, 0))
		return write(w, &signedIn{Subject: answer.GetSubject(), Project: answer.GetProject(), Permissions: answer.GetPermissions()})
	}
	answer, err := h.tokens.Login(ctx, &authv1.LoginRequest{Email: asked.Email, Password: asked.Password, Project: asked.Project})
	if err != nil {
		return err
	}
	return h.give(w, r, answer)
}

func (h *Handler) renew(w http.ResponseWriter, r *http.Request) error {
	var asked signIn
	if err := read(r, &asked); err != nil {
		return err
	}
	cookie, err := r.Cookie(refreshCookie)
	if err != nil {
		return status.New(codes.Unauthenticated, "NO_SESSION", "The session has ended; sign in again.")
	}
	answer, err := h.renewOnce(r, cookie.Value, asked.Project)
	if grpcstatus.Code(err) == codes.Unauthenticated {
		h.forget(w, r)
	}
	if err != nil {
		return err
	}
	return h.give(w, r, answer)
}

// renewOnce swaps a refresh token once, however many windows ask, and however often within a few seconds.
func (h *Handler) renewOnce(r *http.Request, token, project string) (*authv1.TokenSet, error) {
	name := sha256.Sum256([]byte(token + "\x00" + project))
	h.mutex.Lock()
	found, isUnderWay := h.kept[name]
	if !isUnderWay {
		found = &renewal{done: make(chan struct{})}
		h.kept[name] = found
		// It goes on where the window that asked first is closed: the others wait for it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(h.callContext(r, "")), renewTimeout)
		go func() {
			defer cancel()
			found.answer, found.err = h.tokens.RefreshToken(ctx, &authv1.RefreshTokenRequest{RefreshToken: token, Project: project})
			close(found.done)
			if found.err != nil { // whoever asks again is answered anew, and nobody fills our memory with tokens that are none
				h.drop(name)
				return
			}
			time.AfterFunc(answerKept, func() { h.drop(name) })
		}()
	}
	h.mutex.Unlock()
	select {
	case <-found.done:
		return found.answer, found.err
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func (h *Handler) drop(name [sha256.Size]byte) {
	h.mutex.Lock()
	delete(h.kept, name)
	h.mutex.Unlock()
}

// end forgets the cookies in any case; that the session ends at auth too is tried with the access token, and with a new one where that has ended.
func (h *Handler) end(w http.ResponseWriter, r *http.Request) {
	if access, err := r.Cookie(accessCookie); err == nil && !strings.HasPrefix(access.Value, apiKeyPrefix) {
		_, err = h.tokens.Logout(h.callContext(r, access.Value), &authv1.LogoutRequest{})
		if refresh, missing := r.Cookie(refreshCookie); err != nil && missing == nil {
			if answer, err := h.renewOnce(r, refresh.Value, ""); err == nil {
				_, _ = h.tokens.Logout(h.callContext(r, answer.GetAccessToken()), &authv1.LogoutRequest{})
			}
		}
	}
	h.forget(w, r)
	w.WriteHeader(http.StatusNoContent)
}

func (h *Handler) give(w http.ResponseWriter, r *http.Request, answer *authv1.TokenSet) error {
	end := answer.GetRefreshExpireTime().AsTime()
	// The access token outlives its own time here, so that its end is told apart from never having signed in.
	h.setCookie(w, r, accessCookie, "/", answer.GetAccessToken(), end)
	h.setCookie(w, r, refreshCookie, Path, answer.GetRefreshToken(), end)
	return write(w, &signedIn{
		Subject: answer.GetSubject(), Project: answer.GetProject(), Permissions: answer.GetPermissions(),
		ExpireTime: answer.GetExpireTime().AsTime().Format(time.RFC3339), CanRenew: true,
	})
}

func (h *Handler) forget(w http.ResponseWriter, r *http.Request) {
	h.setCookie(w, r, accessCookie, "/", "", time.Unix(1, 0))
	h.setCookie(w, r, refreshCookie, Path, "", time.Unix(1, 0))
}

func (h *Handler) setCookie(w http.ResponseWriter, r *http.Request, name, path, value string, end time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: path, Expires: end, HttpOnly: true, Secure: h.edge.IsSecure(r), SameSite: http.SameSiteStrictMode,
	})
}

// callContext returns the context of a call with the given token, or with none.
func (h *Handler) callContext(r *http.Request, token string) context.Context {
	carried := h.edge.Metadata(r)
	carried.Delete("authorization")
	carried.Delete("x-api-key")
	if token != "" {
		carried.Set("authorization", "Bearer "+token)
	}
	return metadata.NewOutgoingContext(r.Context(), carried)
}

func read(r *http.Request, into any) error {
	reader := json.NewDecoder(r.Body)
	reader.DisallowUnknownFields()
	var tooLarge *http.MaxBytesError
	switch err := reader.Decode(into); {
	case err == nil, errors.Is(err, io.EOF):
		return nil
	case errors.As(err, &tooLarge):
		return status.New(codes.InvalidArgument, "BODY_TOO_LARGE", "The body is too large.")
	default:
		return status.New(codes.InvalidArgument, "INVALID_REQUEST", "The body cannot be read: "+err.Error())
	}
}

func write(w http.ResponseWriter, answer *signedIn) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(answer)
}

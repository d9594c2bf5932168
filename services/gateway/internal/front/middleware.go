package front

import (
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"praxiscope/gateway/internal/blobs"
	"praxiscope/gateway/internal/status"
)

const (
	maxRequestID = 64
	// What a service takes along with everything else that stands in a call's metadata.
	maxTraceState = 512
	idCharacters  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
)

var latencyBuckets = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600}

// edge is what every request passes before it is understood.
type edge struct {
	origins  map[string]bool
	proxies  []netip.Prefix
	maxBody  int64
	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
}

func newEdge(origins []string, proxies []netip.Prefix, maxBody int64, registry prometheus.Registerer) *edge {
	made := &edge{
		origins: map[string]bool{},
		proxies: proxies,
		maxBody: maxBody,
		requests: prometheus.NewCounterVec(
			prometheus.CounterOpts{Name: "api_requests_total", Help: "Requests served."}, []string{"endpoint", "method", "status"}),
		latency: prometheus.NewHistogramVec(
			prometheus.HistogramOpts{Name: "api_request_duration_seconds", Help: "How long requests took.", Buckets: latencyBuckets}, []string{"endpoint", "method"}),
	}
	for _, origin := range origins {
		made.origins[origin] = true
	}
	registry.MustRegister(made.requests, made.latency)
	return made
}

func (e *edge) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		id := requestID(r.Header.Get("X-Request-Id"))
		r.Header.Set("X-Request-Id", id)
		if len(r.Header.Get("Tracestate")) > maxTraceState {
			r.Header.Del("Tracestate")
		}
		ctx := otel.GetTextMapPropagator().Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		endpoint, method := endpointOf(r.URL.Path), methodOf(r.Method)
		ctx, span := otel.Tracer("praxiscope").Start(ctx, method+" "+endpoint, trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attribute.String("request.id", id)))
		recorder := &recorder{ResponseWriter: w, code: http.StatusOK}
		defer func() {
			if problem := recover(); problem != nil && problem != http.ErrAbortHandler { //nolint:errorlint  it is the value itself
				slog.Error("panic", "request_id", id, "problem", problem, "stack", string(debug.Stack()))
				if !recorder.wrote {
					status.Write(recorder, status.New(codes.Internal, "INTERNAL", "Internal error."))
				}
			}
			span.End()
			elapsed := time.Since(started)
			e.requests.WithLabelValues(endpoint, method, strconv.Itoa(recorder.code)).Inc()
			e.latency.WithLabelValues(endpoint, method).Observe(elapsed.Seconds())
			// The query is left out: tickets stand in it.
			slog.Info("request", "request_id", id, "trace_id", span.SpanContext().TraceID().String(), "method", r.Method, "path", r.URL.Path,
				"status", recorder.code, "elapsed_ms", float64(elapsed.Microseconds())/1000, "bytes", recorder.count)
		}()
		e.headers(recorder.Header(), r, id)
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = newTimedBody(w, r.Body, bodyGrace)
		}
		if e.preflight(recorder, r) {
			return
		}
		if err := e.refuse(recorder, r); err != nil {
			status.Write(recorder, err)
			return
		}
		next.ServeHTTP(recorder, r.WithContext(ctx))
	})
}

func (e *edge) headers(header http.Header, r *http.Request, id string) {
	header.Set("X-Request-Id", id)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	header.Set("Cache-Control", "no-store")
	header.Add("Vary", "Origin")
	if origin := r.Header.Get("Origin"); origin != "" && e.origins[origin] {
		header.Set("Access-Control-Allow-Origin", origin)
		header.Set("Access-Control-Expose-Headers", "X-Request-Id, Retry-After, ETag, Content-Range")
		header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
}

func (e *edge) preflight(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	if e.origins[r.Header.Get("Origin")] {
		w.Header().Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, HEAD")
		w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Api-Key, X-Request-Id, Idempotency-Key, Range")
		w.Header().Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// refuse says what is wrong with a request before it is read: a page of another origin, or a body that is not JSON.
func (e *edge) refuse(w http.ResponseWriter, r *http.Request) error {
	if origin := r.Header.Get("Origin"); origin != "" && !e.origins[origin] && !sameOrigin(origin, r) {
		return status.New(codes.PermissionDenied, "ORIGIN_NOT_ALLOWED", "Pages of this origin may not call; the operator can allow them.")
	}
	if !utf8.ValidString(r.URL.Path) {
		return status.New(codes.InvalidArgument, "INVALID_REQUEST", "The path is not UTF-8.")
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil
	}
	if r.URL.Path == blobs.Path {
		return nil
	}
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return status.New(codes.InvalidArgument, "UNSUPPORTED_MEDIA_TYPE", "Send application/json.")
	}
	r.Body = http.MaxBytesReader(w, r.Body, e.maxBody)
	return nil
}

func sameOrigin(origin string, r *http.Request) bool {
	_, host, found := strings.Cut(origin, "://")
	return found && strings.EqualFold(host, r.Host)
}

// clientAddress returns who calls: the peer, or what a trusted proxy says of them.
func (e *edge) clientAddress(r *http.Request) string {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	forwarded := strings.Split(r.Header.Get("X-Forwarded-For"), ",")
	for index := len(forwarded) - 1; index >= 0 && e.isTrusted(peer); index-- {
		if next := strings.TrimSpace(forwarded[index]); next != "" {
			peer = next
		}
	}
	return peer
}

// Metadata returns what goes along with a call of this request's.
func (e *edge) Metadata(r *http.Request) metadata.MD { return callMetadata(r, e.clientAddress) }

// IsSecure says whether the caller came over TLS: to us, or to a trusted proxy.
func (e *edge) IsSecure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && e.isTrusted(peer) && strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

func (e *edge) isTrusted(address string) bool {
	parsed, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	for _, network := range e.proxies {
		if network.Contains(parsed.Unmap()) {
			return true
		}
	}
	return false
}

// requestID returns the caller's id where it is harmless, else a new one.
func requestID(offered string) string {
	if len(offered) > 0 && len(offered) <= maxRequestID && strings.Trim(offered, idCharacters) == "" {
		return offered
	}
	return strings.ToLower(rand.Text())
}

type recorder struct {
	http.ResponseWriter
	code  int
	count int64
	wrote bool
}

// WriteHeader remembers the code.
func (r *recorder) WriteHeader(code int) {
	if !r.wrote {
		r.code, r.wrote = code, true
	}
	r.ResponseWriter.WriteHeader(code)
}

// Write counts what was written.
func (r *recorder) Write(data []byte) (int, error) {
	r.wrote = true
	count, err := r.ResponseWriter.Write(data)
	r.count += int64(count)
	return count, err
}

// Flush sends what waits.
func (r *recorder) Flush() {
	if flusher, can := r.ResponseWriter.(http.Flusher); can {
		flusher.Flush()
	}
}

// Unwrap lets http.ResponseController and the WebSocket library find the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

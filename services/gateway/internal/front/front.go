// Package front puts the gateway together and runs it.
package front

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"praxiscope/gateway/internal/blobs"
	"praxiscope/gateway/internal/config"
	"praxiscope/gateway/internal/docs"
	"praxiscope/gateway/internal/guard"
	"praxiscope/gateway/internal/pages"
	"praxiscope/gateway/internal/proxy"
	"praxiscope/gateway/internal/session"
)

// reconnecting says how soon a service that went away, or is still starting, is tried again: gRPC's own pauses grow to two minutes, and a service that
// starts anew takes seconds.
var reconnecting = grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
	MinConnectTimeout: 5 * time.Second,
}

const (
	retryPause        = time.Second
	headerTimeout     = 10 * time.Second
	sortPatience      = time.Second // for connections whose first bytes are on their way when the end begins
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
	maxMessageBytes   = 16 << 20
	smallestGzipBytes = 1 << 10
)

type backend = grpc.ClientConn

// bridges are the bidirectional streams that are WebSockets over HTTP.
var bridges = map[string]string{
	"/v1/live:observe": "/praxiscope.vision.v1.VisionService/ObserveLive",
	"/v1/live:track":   "/praxiscope.tracking.v1.TrackingService/Track",
	"/v1/live:view":    "/praxiscope.rendering.v1.WorldRenderingService/StreamView",
}

// Run serves until ctx is done, then lets calls in flight end.
func Run(ctx context.Context, settings *config.Settings) error {
	stopTracing, err := startTracing(ctx, settings.OTLPEndpoint)
	if err != nil {
		return err
	}
	defer stopTracing()
	backends, closeBackends, err := dialAll(settings)
	if err != nil {
		return err
	}
	defer closeBackends()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	handler, err := newHandler(ctx, settings, backends, registry)
	if err != nil {
		return err
	}
	listener, err := listenAll(settings.Address, settings.GRPCAddress)
	if err != nil {
		return err
	}
	if settings.MetricsAddress != "" {
		go serveMetrics(settings.MetricsAddress, registry)
	}
	return serve(ctx, settings, listener, handler, newNative(backends))
}

// newHandler returns what answers HTTP.
func newHandler(ctx context.Context, settings *config.Settings, backends proxy.Backends, registry prometheus.Registerer) (http.Handler, error) {
	front := newEdge(settings.AllowedOrigins, settings.TrustedProxies, settings.MaxBodyBytes, registry)
	api, err := newMux(ctx, backends, front.clientAddress)
	if err != nil {
		return nil, err
	}
	compress, err := gzhttp.NewWrapper(gzhttp.MinSize(smallestGzipBytes), gzhttp.ContentTypes([]string{"application/json", "text/html", "text/css", "text/javascript"}))
	if err != nil {
		return nil, err
	}
	routes := http.NewServeMux()
	routes.Handle(blobs.Path, blobs.New(settings.TicketKey, settings.StoreRoot))
	routes.Handle("/docs", compress(docs.Handler()))
	routes.Handle("/openapi.json", compress(docs.OpenAPI()))
	routes.Handle("/healthz", http.HandlerFunc(alive))
	routes.Handle("/readyz", readiness(backends))
	sessions := session.New(backends["praxiscope.auth.v1"], front)
	routes.Handle(session.Path, sessions)
	routes.Handle(session.Path+"/", sessions)
	compressed := compress(api)
	routes.Handle("/v1/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if method, isBridge := bridges[r.URL.Path]; isBridge && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			bridge := &proxy.WebSocket{Backends: backends, Method: method, Origins: hosts(settings.AllowedOrigins), Metadata: func(r *http.Request) metadata.MD {
				return callMetadata(r, front.clientAddress)
			}}
			bridge.ServeHTTP(w, r)
			return
		}
		accept := r.Header.Get("Accept")
		for _, streamed := range []string{eventStream, ndjson} {
			if strings.Contains(accept, streamed) { // the mux wants the exact word
				r.Header.Set("Accept", streamed)
				api.ServeHTTP(w, r)
				return
			}
		}
		compressed.ServeHTTP(w, r)
	}))
	missing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		routingError(r.Context(), nil, nil, w, r, http.StatusNotFound)
	})
	if settings.ConsoleRoot != "" {
		routes.Handle("/", compress(pages.New(os.DirFS(settings.ConsoleRoot), missing)))
	} else {
		routes.Handle("/{$}", http.RedirectHandler("/docs", http.StatusFound))
		routes.Handle("/", missing)
	}
	return front.wrap(routes), nil
}

// serve takes connections: those that begin with HTTP/2's preface are gRPC, all others HTTP/1.1.
func serve(ctx context.Context, settings *config.Settings, listener net.Listener, handler http.Handler, native *grpc.Server) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	split := splitListener(listener)
	failed := make(chan error, 2)
	go func() { failed <- server.Serve(split.http) }()
	go func() { failed <- native.Serve(split.grpc) }()
	slog.Info("serving", "address", listener.Addr().String())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	slog.Info("draining")
	split.refuse(sortPatience)
	draining, cancel := context.WithTimeout(context.Background(), settings.Grace)
	defer cancel()
	ended := make(chan struct{})
	go func() { native.GracefulStop(); close(ended) }()
	err := server.Shutdown(draining)
	select {
	case <-ended:
	case <-draining.Done():
		native.Stop()
	}
	if errors.Is(err, context.DeadlineExceeded) { // streams that nobody ends are cut
		return server.Close()
	}
	return err
}

func dialAll(settings *config.Settings) (proxy.Backends, func(), error) {
	backends := proxy.Backends{}
	var opened []*grpc.ClientConn
	closeAll := func() {
		for _, conn := range opened {
			_ = conn.Close()
		}
	}
	dial := func(address string, extra ...grpc.DialOption) (*grpc.ClientConn, error) {
		options := append([]grpc.DialOption{
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithStatsHandler(otelgrpc.NewClientHandler()),
			grpc.WithConnectParams(reconnecting),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes), grpc.MaxCallSendMsgSize(maxMessageBytes)),
		}, extra...)
		conn, err := grpc.NewClient(address, options...)
		if err == nil {
			opened = append(opened, conn)
		}
		return conn, err
	}
	// What the gateway itself asks auth for, keys and tokens, changes nothing of anybody's.
	always := func(string) bool { return true }
	unguarded, err := dial(settings.Backends["praxiscope.auth.v1"], grpc.WithUnaryInterceptor(askAgain(always)))
	if err != nil {
		return nil, closeAll, err
	}
	watch := guard.New(unguarded, settings.Rates)
	for area, address := range settings.Backends {
		unary := grpc.WithChainUnaryInterceptor(nameRequest, watch.Unary, askAgain(guard.IsRead))
		conn, err := dial(address, unary, grpc.WithStreamInterceptor(watch.Stream))
		if err != nil {
			closeAll()
			return nil, func() {}, fmt.Errorf("%s at %s: %w", area, address, err)
		}
		backends[area] = conn
	}
	return backends, closeAll, nil
}

func startTracing(ctx context.Context, endpoint string) (func(), error) {
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName("gateway")))}
	if endpoint != "" {
		exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(endpoint), otlptracegrpc.WithInsecure())
		if err != nil {
			return nil, err
		}
		options = append(options, sdktrace.WithBatcher(exporter))
	}
	provider := sdktrace.NewTracerProvider(options...)
	otel.SetTracerProvider(provider)
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return func() {
		ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = provider.Shutdown(ending)
	}, nil
}

func serveMetrics(address string, registry *prometheus.Registry) {
	routes := http.NewServeMux()
	routes.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Addr: address, Handler: routes, ReadHeaderTimeout: headerTimeout}
	if err := server.ListenAndServe(); err != nil {
		slog.Error("metrics cannot be served", "error", err)
	}
}

// hosts returns origins without their scheme, as the WebSocket library wants them.
func hosts(origins []string) []string {
	var found []string
	for _, origin := range origins {
		if _, host, isOrigin := strings.Cut(origin, "://"); isOrigin {
			found = append(found, host)
		}
	}
	return found
}

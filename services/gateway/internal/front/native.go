package front

import (
	"bufio"
	"errors"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"

	"praxiscope/gateway/internal/proxy"
)

const maxStreams = 1000

// The first bytes of every HTTP/2 connection (RFC 9113, 3.4).
const http2Preface = "PRI * HTTP/2.0"

// newNative returns the server of native gRPC: health and reflection are the gateway's own, everything else is carried on.
func newNative(backends proxy.Backends) *grpc.Server {
	server := grpc.NewServer(
		grpc.ForceServerCodecV2(mixedCodec{}),
		grpc.UnknownServiceHandler(backends.Handler()),
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.ConnectionTimeout(headerTimeout),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.MaxConcurrentStreams(maxStreams), // of one connection; without it streams that are opened and reset at once cost without end
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, MaxConnectionIdle: 10 * time.Minute}),
	)
	healthv1.RegisterHealthServer(server, health.NewServer())
	options := reflection.ServerOptions{Services: listed{}}
	reflectionv1.RegisterServerReflectionServer(server, reflection.NewServerV1(options))
	reflectionv1alpha.RegisterServerReflectionServer(server, reflection.NewServer(options))
	return server
}

// listed tells reflection which services there are behind the gateway.
type listed struct{}

// GetServiceInfo names the services.
func (listed) GetServiceInfo() map[string]grpc.ServiceInfo {
	info := map[string]grpc.ServiceInfo{}
	for _, name := range []string{
		"praxiscope.auth.v1.TokenService", "praxiscope.auth.v1.UserService", "praxiscope.auth.v1.ProjectService",
		"praxiscope.library.v1.AssetService", "praxiscope.library.v1.UploadService", "praxiscope.library.v1.OperationService",
		"praxiscope.vision.v1.VisionService", "praxiscope.vision.v1.ModelService", "praxiscope.tracking.v1.TrackingService", "praxiscope.biomechanics.v1.MotionService",
		"praxiscope.rendering.v1.RenderingService", "praxiscope.rendering.v1.WorldRenderingService", "praxiscope.generation.v1.GenerationService",
		"praxiscope.editing.v1.EditService",
		"google.longrunning.Operations",
	} {
		info[name] = grpc.ServiceInfo{}
	}
	return info
}

type split struct {
	http, grpc *queue
	parent     net.Listener
	sorting    sync.WaitGroup
}

// splitListener hands connections out by how they begin.
func splitListener(listener net.Listener) *split {
	made := &split{http: newQueue(listener), grpc: newQueue(listener), parent: listener}
	made.sorting.Add(1)
	go func() {
		defer made.sorting.Done()
		for {
			conn, err := listener.Accept()
			if err != nil {
				var passing net.Error
				if errors.As(err, &passing) && passing.Timeout() {
					continue
				}
				if !errors.Is(err, net.ErrClosed) {
					made.http.fail(err)
					made.grpc.fail(err)
				}
				return
			}
			made.sorting.Add(1)
			go func() {
				defer made.sorting.Done()
				made.sort(conn)
			}()
		}
	}()
	return made
}

// refuse takes no connection any more, and returns when those that were taken have been handed out, so that none of their calls is lost.
func (s *split) refuse(patience time.Duration) {
	_ = s.parent.Close()
	sorted := make(chan struct{})
	go func() { s.sorting.Wait(); close(sorted) }()
	select {
	case <-sorted:
	case <-time.After(patience): // somebody connected and says nothing
	}
}

func (s *split) sort(conn net.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(headerTimeout))
	reader := bufio.NewReaderSize(conn, 4<<10)
	begin, err := reader.Peek(1)
	if err == nil && begin[0] == http2Preface[0] { // PUT, POST and PATCH begin so too
		begin, err = reader.Peek(len(http2Preface))
	}
	if err != nil && len(begin) == 0 {
		_ = conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	target := s.http
	if string(begin) == http2Preface {
		target = s.grpc
	}
	target.put(&begun{Conn: conn, reader: reader})
}

// begun is a connection whose first bytes have been looked at.
type begun struct {
	net.Conn
	reader *bufio.Reader
}

// Read reads what was looked at first.
func (b *begun) Read(into []byte) (int, error) { return b.reader.Read(into) }

// queue is a listener that gets its connections from another.
type queue struct {
	parent net.Listener
	conns  chan net.Conn
	failed chan struct{}
	once   sync.Once
	err    error
}

func newQueue(parent net.Listener) *queue {
	return &queue{parent: parent, conns: make(chan net.Conn), failed: make(chan struct{})}
}

func (q *queue) put(conn net.Conn) {
	select {
	case q.conns <- conn:
	case <-q.failed:
		_ = conn.Close()
	}
}

func (q *queue) fail(err error) {
	q.once.Do(func() { q.err = err; close(q.failed) })
}

// Accept returns the next connection.
func (q *queue) Accept() (net.Conn, error) {
	select {
	case conn := <-q.conns:
		return conn, nil
	case <-q.failed:
		return nil, q.err
	}
}

// Close ends this listener alone.
func (q *queue) Close() error {
	q.fail(net.ErrClosed)
	return nil
}

// Addr returns where the parent listens.
func (q *queue) Addr() net.Addr { return q.parent.Addr() }

package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"

	"praxiscope/gateway/internal/status"
)

const (
	maxWebSocketMessage = 4 << 20
	pingPeriod          = 20 * time.Second
	// Browsers cannot send headers with a WebSocket, so a token may come as a subprotocol beside this one.
	subprotocol = "praxiscope.v1"
	tokenPrefix = "bearer."
	// Close codes 4000 and up are an application's own: 4000 and the gRPC code.
	closeBase = 4000
	maxReason = 120
)

// WebSocket bridges a WebSocket to a bidirectional stream: one binary message is one protobuf message, either way.
type WebSocket struct {
	Backends Backends
	Method   string
	Origins  []string
	Metadata func(*http.Request) metadata.MD
}

// ServeHTTP serves one WebSocket until one side ends it.
func (b *WebSocket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := b.Backends.For(b.Method)
	if err != nil {
		status.Write(w, err)
		return
	}
	carried := b.Metadata(r)
	for _, offered := range strings.Split(r.Header.Get("Sec-Websocket-Protocol"), ",") {
		if token, isToken := strings.CutPrefix(strings.TrimSpace(offered), tokenPrefix); isToken {
			carried.Set("authorization", "Bearer "+token)
		}
	}
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(r.Context(), carried))
	defer cancel()
	// The stream is opened first, so that a refusal is an HTTP answer.
	stream, err := conn.NewStream(ctx, anyStream, b.Method, grpc.ForceCodec(Codec{}))
	if err != nil {
		status.Write(w, err)
		return
	}
	socket, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{subprotocol}, OriginPatterns: b.Origins})
	if err != nil {
		return // Accept has answered
	}
	defer socket.CloseNow() //nolint:errcheck  it is closed with a code below where it can be
	socket.SetReadLimit(maxWebSocketMessage)
	go keepAlive(ctx, socket)
	go receive(ctx, socket, stream, cancel)
	err = send(ctx, socket, stream)
	code, reason := websocket.StatusNormalClosure, ""
	if err != nil {
		converted := grpcstatus.Convert(err)
		code, reason = websocket.StatusCode(closeBase+int(converted.Code())), shortened(converted.Message())
	}
	_ = socket.Close(code, reason)
}

func receive(ctx context.Context, socket *websocket.Conn, stream grpc.ClientStream, cancel context.CancelFunc) {
	for {
		kind, data, err := socket.Read(ctx)
		if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
			_ = stream.CloseSend()
			return
		}
		if err != nil {
			cancel()
			return
		}
		if kind != websocket.MessageBinary || len(data) == 0 {
			_ = stream.CloseSend() // an empty or a text message ends what the caller sends; answers still come
			continue
		}
		if stream.SendMsg(&Raw{Bytes: data}) != nil {
			return // why it broke is what the answers end with
		}
	}
}

func send(ctx context.Context, socket *websocket.Conn, stream grpc.ClientStream) error {
	for {
		message := &Raw{}
		if err := stream.RecvMsg(message); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := socket.Write(ctx, websocket.MessageBinary, message.Bytes); err != nil {
			return err
		}
	}
}

func keepAlive(ctx context.Context, socket *websocket.Conn) {
	ticker := time.NewTicker(pingPeriod)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if socket.Ping(ctx) != nil {
				return
			}
		}
	}
}

func shortened(text string) string {
	if len(text) > maxReason {
		text = text[:maxReason]
	}
	return strings.ToValidUTF8(text, "") // a letter of several bytes may have been cut; a close frame with half of one is none
}

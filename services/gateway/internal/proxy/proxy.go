// Package proxy carries calls to services without knowing their messages: native gRPC on the public port, and WebSockets over bidirectional streams.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"praxiscope/gateway/internal/guard"
	"praxiscope/gateway/internal/status"
)

// Backends are connections to services by proto package, guarded.
type Backends map[string]*grpc.ClientConn

// For returns the connection for a method, `/package.Service/Method`.
func (b Backends) For(method string) (*grpc.ClientConn, error) {
	service, _, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	dot := strings.LastIndexByte(service, '.')
	if dot > 0 {
		if conn, found := b[service[:dot]]; found {
			return conn, nil
		}
	}
	return nil, status.New(codes.Unimplemented, "UNDECLARED_METHOD", "There is no such method.")
}

// Raw is a message that is not looked into.
type Raw struct{ Bytes []byte }

// Codec passes Raw messages through.
type Codec struct{}

// Marshal returns a message's bytes.
func (Codec) Marshal(value any) ([]byte, error) {
	raw, isRaw := value.(*Raw)
	if !isRaw {
		return nil, fmt.Errorf("the proxy carries raw messages, not %T", value)
	}
	return raw.Bytes, nil
}

// Unmarshal keeps a message's bytes.
func (Codec) Unmarshal(data []byte, value any) error {
	raw, isRaw := value.(*Raw)
	if !isRaw {
		return fmt.Errorf("the proxy carries raw messages, not %T", value)
	}
	raw.Bytes = append(raw.Bytes[:0], data...)
	return nil
}

// Name says what the bytes are.
func (Codec) Name() string { return "proto" }

var anyStream = &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}

// carriedHeaders are what a caller's metadata may say to a service, and how long that may be. All else is dropped: services take 8 KiB of
// metadata in all, and a call that has more, or other characters, would end as an internal error.
var carriedHeaders = map[string]int{
	"authorization": guard.MaxCredentialBytes + len("Bearer "), "x-api-key": guard.MaxCredentialBytes, "x-request-id": 64, "traceparent": 64, "tracestate": 512,
	guard.VariantKey: guard.MaxVariant,
}

// Handler returns what serves every method that is not the gateway's own.
func (b Backends) Handler() grpc.StreamHandler {
	return func(_ any, server grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(server)
		conn, err := b.For(method)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(outgoing(server.Context()))
		defer cancel()
		client, err := conn.NewStream(ctx, anyStream, method, grpc.ForceCodec(Codec{}))
		if err != nil {
			return err
		}
		requests := make(chan error, 1)
		go func() { requests <- copyRequests(server, client) }()
		err = copyResponses(client, server)
		server.SetTrailer(client.Trailer())
		cancel()
		<-requests
		return err
	}
}

func copyRequests(server grpc.ServerStream, client grpc.ClientStream) error {
	for {
		message := &Raw{}
		if err := server.RecvMsg(message); err != nil {
			if errors.Is(err, io.EOF) {
				return client.CloseSend()
			}
			return err
		}
		if err := client.SendMsg(message); err != nil {
			return err // why it broke is what the responses end with
		}
	}
}

func copyResponses(client grpc.ClientStream, server grpc.ServerStream) error {
	sent := false
	for {
		message := &Raw{}
		err := client.RecvMsg(message)
		if !sent {
			if header, headerErr := client.Header(); headerErr == nil {
				if err := server.SetHeader(header); err != nil {
					return err
				}
			}
			sent = true
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := server.SendMsg(message); err != nil {
			return err
		}
	}
}

func outgoing(ctx context.Context) context.Context {
	incoming, _ := metadata.FromIncomingContext(ctx)
	carried := metadata.MD{}
	for name, most := range carriedHeaders {
		values := incoming.Get(name)
		if len(values) == 0 {
			continue
		}
		if value := values[len(values)-1]; guard.IsPlain(value, most) {
			carried.Set(name, value)
		} else if name == "authorization" || name == "x-api-key" {
			carried.Set(name, guard.BadCredential) // it must be refused, and not be taken for none
		}
	}
	if caller, known := peer.FromContext(ctx); known {
		carried.Set(guard.ClientAddressKey, host(caller.Addr))
	}
	return metadata.NewOutgoingContext(ctx, carried)
}

func host(address net.Addr) string {
	name, _, err := net.SplitHostPort(address.String())
	if err != nil {
		return address.String()
	}
	return name
}

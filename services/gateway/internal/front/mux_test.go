package front

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"praxiscope/gateway/internal/proxy"
)

var pathVariable = regexp.MustCompile(`\{[a-z_.]+(?:=([^}]+))?\}`)

// TestEveryMappedPathReachesItsMethod asks for every path of every contract and looks which method was called.
func TestEveryMappedPathReachesItsMethod(t *testing.T) {
	reached := &atomic.Value{}
	mux, err := newMux(context.Background(), recordingBackends(t, reached), func(*http.Request) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(file.Package()), "praxiscope.") {
			return true
		}
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				method := methods.Get(j)
				rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
				if rule == nil || method.IsStreamingClient() {
					continue
				}
				for _, binding := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
					count++
					verb, path := verbAndPath(binding)
					wanted := "/" + string(method.Parent().FullName()) + "/" + string(method.Name())
					reached.Store("nothing")
					body := strings.NewReader("{}")
					if binding.GetBody() == "" {
						body = strings.NewReader("")
					}
					mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(verb, path, body))
					if got := reached.Load(); got != wanted {
						t.Errorf("%s %s reached %v instead of %s", verb, path, got, wanted)
					}
				}
			}
		}
		return true
	})
	if count < 40 {
		t.Errorf("only %d paths were asked for", count)
	}
}

// recordingBackends returns connections to a server that remembers which method was called and serves none.
func recordingBackends(t *testing.T, reached *atomic.Value) proxy.Backends {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
		method, _ := grpc.MethodFromServerStream(stream)
		reached.Store(method)
		return grpcstatus.Error(codes.Unimplemented, "")
	}))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	connection, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	backends := proxy.Backends{}
	for _, area := range areas {
		backends[area.name] = connection
	}
	return backends
}

// verbAndPath returns what a binding is asked with, every variable filled in.
func verbAndPath(rule *annotations.HttpRule) (string, string) {
	var verb, path string
	switch pattern := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		verb, path = http.MethodGet, pattern.Get
	case *annotations.HttpRule_Post:
		verb, path = http.MethodPost, pattern.Post
	case *annotations.HttpRule_Put:
		verb, path = http.MethodPut, pattern.Put
	case *annotations.HttpRule_Patch:
		verb, path = http.MethodPatch, pattern.Patch
	case *annotations.HttpRule_Delete:
		verb, path = http.MethodDelete, pattern.Delete
	}
	filled := pathVariable.ReplaceAllStringFunc(path, func(variable string) string {
		if template := pathVariable.FindStringSubmatch(variable)[1]; template != "" {
			return template
		}
		return "*"
	})
	return verb, strings.NewReplacer("**", "1", "*", "1").Replace(filled)
}

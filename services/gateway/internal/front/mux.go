package front

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // or a status with details becomes HTTP 500
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // or callers that send gzip get UNIMPLEMENTED
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	authv1 "praxiscope/gateway/gen/praxiscope/auth/v1"
	biomechanicsv1 "praxiscope/gateway/gen/praxiscope/biomechanics/v1"
	editingv1 "praxiscope/gateway/gen/praxiscope/editing/v1"
	generationv1 "praxiscope/gateway/gen/praxiscope/generation/v1"
	libraryv1 "praxiscope/gateway/gen/praxiscope/library/v1"
	renderingv1 "praxiscope/gateway/gen/praxiscope/rendering/v1"
	trackingv1 "praxiscope/gateway/gen/praxiscope/tracking/v1"
	visionv1 "praxiscope/gateway/gen/praxiscope/vision/v1"
	"praxiscope/gateway/internal/guard"
	"praxiscope/gateway/internal/proxy"
	"praxiscope/gateway/internal/session"
	"praxiscope/gateway/internal/status"
)

// What is longer or has other characters names no request; a request_id is a UUID.
const maxIdempotencyKey = 64

const (
	ndjson      = "application/x-ndjson"
	eventStream = "text/event-stream"
)

// registration adds the paths of one gRPC service to the mux.
type registration = func(context.Context, *runtime.ServeMux, *backend) error

// areas says whose methods are served. Of two paths that fit, the one registered later is taken: domain verbs hang on the
// library's assets, and `versions/1:motion` also fits the library's `versions/*`, so the library comes before them.
var areas = []struct {
	name     string
	register []registration
}{
	{"praxiscope.auth.v1", []registration{authv1.RegisterTokenServiceHandler, authv1.RegisterUserServiceHandler, authv1.RegisterProjectServiceHandler}},
	{"praxiscope.library.v1", []registration{libraryv1.RegisterAssetServiceHandler, libraryv1.RegisterUploadServiceHandler, libraryv1.RegisterOperationServiceHandler, libraryv1.RegisterMediaServiceHandler}},
	{"praxiscope.vision.v1", []registration{visionv1.RegisterVisionServiceHandler, visionv1.RegisterModelServiceHandler}},
	{"praxiscope.tracking.v1", []registration{trackingv1.RegisterTrackingServiceHandler}},
	{"praxiscope.biomechanics.v1", []registration{biomechanicsv1.RegisterMotionServiceHandler}},
	{"praxiscope.rendering.v1", []registration{renderingv1.RegisterRenderingServiceHandler, renderingv1.RegisterWorldRenderingServiceHandler}},
	{"praxiscope.generation.v1", []registration{generationv1.RegisterGenerationServiceHandler}},
	{"praxiscope.editing.v1", []registration{editingv1.RegisterEditServiceHandler}},
}

// newMux returns what turns HTTP/JSON into calls.
func newMux(ctx context.Context, backends proxy.Backends, clientAddress func(*http.Request) string) (*runtime.ServeMux, error) {
	base := runtime.JSONPb{
		MarshalOptions:   protojson.MarshalOptions{},
		UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: false},
	}
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &base),
		runtime.WithMarshalerOption(ndjson, &lines{JSONPb: base}),
		runtime.WithMarshalerOption(eventStream, &events{JSONPb: base}),
		runtime.WithErrorHandler(func(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
			status.Write(w, readable(err))
		}),
		runtime.WithRoutingErrorHandler(routingError),
		runtime.WithIncomingHeaderMatcher(carriedHeader),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithMetadata(func(_ context.Context, r *http.Request) metadata.MD { return callMetadata(r, clientAddress) }),
		runtime.SetQueryParameterParser(strictQuery{}),
	)
	for _, area := range areas {
		for _, handler := range area.register {
			if err := handler(ctx, mux, backends[area.name]); err != nil {
				return nil, fmt.Errorf("register %s: %w", area.name, err)
			}
		}
	}
	return mux, nil
}

// callMetadata returns what goes along with a call that came in over HTTP, besides the headers that are carried.
func callMetadata(r *http.Request, clientAddress func(*http.Request) string) metadata.MD {
	carried := metadata.Pairs(guard.ClientAddressKey, clientAddress(r), "x-request-id", r.Header.Get("X-Request-Id"))
	if key := r.Header.Get("X-Api-Key"); key != "" {
		carried.Set("x-api-key", key)
	}
	if id := r.Header.Get("Idempotency-Key"); id != "" && guard.IsPlain(id, maxIdempotencyKey) {
		carried.Set("idempotency-key", id)
	}
	if variant := r.Header.Get(guard.VariantKey); variant != "" && guard.IsPlain(variant, guard.MaxVariant) {
		carried.Set(guard.VariantKey, variant)
	}
	if authorization := r.Header.Get("Authorization"); authorization != "" {
		carried.Set("authorization", authorization)
	} else if credential := session.Credential(r); credential != "" {
		carried.Set("authorization", "Bearer "+credential)
	}
	return carried
}

// carriedHeader says which headers become metadata by themselves: none, callMetadata writes what is needed.
func carriedHeader(name string) (string, bool) {
	if textproto.CanonicalMIMEHeaderKey(name) == "Grpc-Timeout" {
		return "", false
	}
	return "", false
}

func routingError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	switch code {
	case http.StatusMethodNotAllowed:
		status.Write(w, status.New(codes.Unimplemented, "METHOD_NOT_ALLOWED", r.Method+" is not for this path."))
	case http.StatusBadRequest:
		status.Write(w, status.New(codes.InvalidArgument, "INVALID_REQUEST", "The path cannot be read."))
	default:
		status.Write(w, status.New(codes.NotFound, "PATH_NOT_FOUND", "There is nothing under this path; /docs lists what there is."))
	}
}

// readable returns errors of reading a request in the form that the services' errors have.
func readable(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || strings.Contains(err.Error(), "http: request body too large") {
		return status.New(codes.InvalidArgument, "BODY_TOO_LARGE", "The body is too large; upload files in parts.")
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(err.Error(), "i/o timeout") {
		return status.New(codes.DeadlineExceeded, "BODY_TOO_SLOW", "The body came too slowly; send it again.")
	}
	converted := grpcstatus.Convert(err)
	if converted.Code() == codes.InvalidArgument && len(converted.Details()) == 0 {
		return status.New(codes.InvalidArgument, "INVALID_REQUEST", converted.Message())
	}
	if converted.Code() == codes.DeadlineExceeded && len(converted.Details()) == 0 {
		return status.New(codes.DeadlineExceeded, "DEADLINE_EXCEEDED", "The call's time was used up before the work was done.")
	}
	if converted.Code() == codes.Unavailable && len(converted.Details()) == 0 {
		return status.RetryLater(codes.Unavailable, "UNAVAILABLE", "A part that this call needs is not there at the moment; try again.", retryPause)
	}
	return err
}

// lines writes a stream as one JSON document a line.
type lines struct{ runtime.JSONPb }

// ContentType names the form.
func (*lines) ContentType(any) string { return ndjson }

// events writes a stream as server-sent events.
type events struct{ runtime.JSONPb }

// ContentType names the form.
func (*events) ContentType(any) string { return eventStream }

// Marshal writes one event.
func (e *events) Marshal(value any) ([]byte, error) {
	body, err := e.JSONPb.Marshal(value)
	if err != nil {
		return nil, err
	}
	return append([]byte("data: "), body...), nil
}

// Delimiter ends an event.
func (*events) Delimiter() []byte { return []byte("\n\n") }

// strictQuery refuses query parameters that the request does not have, as unknown fields of a body are refused.
type strictQuery struct{}

// Parse reads the query into a request.
func (strictQuery) Parse(target proto.Message, values url.Values, filter *utilities.DoubleArray) error {
	fields := target.ProtoReflect().Descriptor().Fields()
	for name, given := range values {
		for _, value := range given {
			if !utf8.ValidString(value) {
				return fmt.Errorf("the value of %q is not UTF-8", name)
			}
		}
		first, _, _ := strings.Cut(name, ".")
		first, _, _ = strings.Cut(first, "[")
		if fields.ByName(protoreflect.Name(first)) == nil && fields.ByJSONName(first) == nil {
			return fmt.Errorf("there is no field %q", name)
		}
	}
	return (&runtime.DefaultQueryParser{}).Parse(target, values, filter)
}

// Package status makes the gateway's own errors, in the form that the services' errors have.
package status

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"
)

const domain = "praxiscope"

// New returns an error with its reason.
func New(code codes.Code, reason, message string) error {
	return withDetails(code, reason, message, 0)
}

// RetryLater returns an error after which the same call may work.
func RetryLater(code codes.Code, reason, message string, after time.Duration) error {
	return withDetails(code, reason, message, after)
}

func withDetails(code codes.Code, reason, message string, after time.Duration) error {
	made := status.New(code, message)
	detailed, err := made.WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: domain})
	if err == nil && after > 0 {
		detailed, err = detailed.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
	}
	if err != nil {
		return made.Err()
	}
	return detailed.Err()
}

// RetryAfter returns how long a caller should wait, and whether the error says so.
func RetryAfter(err error) (time.Duration, bool) {
	for _, detail := range status.Convert(err).Details() {
		if retry, isRetry := detail.(*errdetails.RetryInfo); isRetry {
			return retry.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}

// httpCodes are the codes that this gateway answers otherwise than by the usual table.
var httpCodes = map[string]int{
	"METHOD_NOT_ALLOWED":     http.StatusMethodNotAllowed,
	"BODY_TOO_LARGE":         http.StatusRequestEntityTooLarge,
	"UNSUPPORTED_MEDIA_TYPE": http.StatusUnsupportedMediaType,
	"INVALID_TICKET":         http.StatusForbidden,
	"ORIGIN_NOT_ALLOWED":     http.StatusForbidden,
}

// HTTPCode returns the HTTP status of an error.
func HTTPCode(err error) int {
	converted := status.Convert(err)
	for _, detail := range converted.Details() {
		if info, isInfo := detail.(*errdetails.ErrorInfo); isInfo && info.GetDomain() == domain {
			if code, found := httpCodes[info.GetReason()]; found {
				return code
			}
		}
	}
	return runtime.HTTPStatusFromCode(converted.Code())
}

// Write answers with an error.
func Write(w http.ResponseWriter, err error) {
	converted := status.Convert(err)
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Del("Content-Length")
	if after, says := RetryAfter(err); says {
		header.Set("Retry-After", strconv.Itoa(int((after+time.Second-1)/time.Second)))
	}
	if converted.Code() == codes.Unauthenticated {
		header.Set("WWW-Authenticate", `Bearer realm="praxiscope"`)
	}
	body, marshalErr := protojson.Marshal(converted.Proto())
	if marshalErr != nil { // a detail of a type we do not know; the rest still says what happened
		body, _ = json.Marshal(map[string]any{"code": int(converted.Code()), "message": converted.Message()})
	}
	w.WriteHeader(HTTPCode(err))
	_, _ = w.Write(body)
}

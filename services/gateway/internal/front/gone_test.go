package front

import (
	"context"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"praxiscope/gateway/internal/status"
)

func TestACallWhoseServerWentAwayIsAskedAgainWhereItOnlyReads(t *testing.T) {
	gone := grpcstatus.Error(codes.Canceled, "")
	ours := status.New(codes.Canceled, "OPERATION_CANCELLED", "Somebody cancelled it.")
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, item := range []struct {
		name    string
		ctx     context.Context
		isRead  bool
		answers []error
		code    codes.Code
		calls   int
	}{
		{"answered", context.Background(), true, []error{nil}, codes.OK, 1},
		{"a read", context.Background(), true, []error{gone, nil}, codes.OK, 2},
		{"a read, twice", context.Background(), true, []error{gone, gone}, codes.Unavailable, 2},
		{"a write", context.Background(), false, []error{gone}, codes.Unavailable, 1},
		{"cancelled by the caller", cancelled, true, []error{gone}, codes.Canceled, 1},
		{"cancelled with a reason", context.Background(), true, []error{ours}, codes.Canceled, 1},
		{"another error", context.Background(), true, []error{grpcstatus.Error(codes.NotFound, "")}, codes.NotFound, 1},
	} {
		calls := 0
		invoke := func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
			calls++
			return item.answers[calls-1]
		}
		err := askAgain(func(string) bool { return item.isRead })(item.ctx, "/a/B", nil, nil, nil, invoke)
		if grpcstatus.Code(err) != item.code || calls != item.calls {
			t.Errorf("%s: %v after %d calls, not %v after %d", item.name, err, calls, item.code, item.calls)
		}
	}
}

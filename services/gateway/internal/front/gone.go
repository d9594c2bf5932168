package front

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	"praxiscope/gateway/internal/status"
)

// askAgain makes a call once more whose server went away in its middle. A server that stops ends what its transport has taken in and nobody has begun
// with CANCELLED, without a word why; the caller has cancelled nothing and would not know what to do about it. What only reads is asked again, of
// whoever has taken the place; of the rest the caller is told that it may.
func askAgain(isRead func(method string) bool) grpc.UnaryClientInterceptor {
	return func(
		ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption,
	) error {
		err := invoke(ctx, method, request, reply, conn, options...)
		if isRead(method) && isGone(ctx, err) {
			err = invoke(ctx, method, request, reply, conn, options...)
		}
		if isGone(ctx, err) {
			return status.RetryLater(codes.Unavailable, "UNAVAILABLE", "A part that this call needs went away during it; try again.", retryPause)
		}
		return err
	}
}

// isGone says whether a call was cancelled by no caller and for no reason of a service's, which would come with details.
func isGone(ctx context.Context, err error) bool {
	converted, isStatus := grpcstatus.FromError(err)
	return err != nil && isStatus && converted.Code() == codes.Canceled && len(converted.Details()) == 0 && ctx.Err() == nil
}

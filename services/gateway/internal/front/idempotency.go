package front

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const idempotencyKey = "idempotency-key"

// nameRequest gives a request the HTTP header Idempotency-Key as its request_id, where the method has one and the body names none.
func nameRequest(
	ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	outgoing, _ := metadata.FromOutgoingContext(ctx)
	if keys := outgoing.Get(idempotencyKey); len(keys) > 0 {
		if message, isMessage := request.(proto.Message); isMessage {
			setRequestID(message.ProtoReflect(), keys[len(keys)-1])
		}
		outgoing = outgoing.Copy()
		outgoing.Delete(idempotencyKey)
		ctx = metadata.NewOutgoingContext(ctx, outgoing)
	}
	return invoke(ctx, method, request, reply, conn, options...)
}

func setRequestID(message protoreflect.Message, key string) {
	field := message.Descriptor().Fields().ByName("request_id")
	if field != nil && field.Kind() == protoreflect.StringKind && message.Get(field).String() == "" {
		message.Set(field, protoreflect.ValueOfString(key))
	}
}

package front

import (
	"testing"

	"google.golang.org/protobuf/proto"

	biomechanicsv1 "praxiscope/gateway/gen/praxiscope/biomechanics/v1"
	libraryv1 "praxiscope/gateway/gen/praxiscope/library/v1"
)

func TestAnIdempotencyKeyNamesTheRequestWhereTheBodyDoesNot(t *testing.T) {
	unnamed, named := &biomechanicsv1.AnalyzeMotionRequest{}, &biomechanicsv1.AnalyzeMotionRequest{RequestId: "mine"}
	for _, request := range []*biomechanicsv1.AnalyzeMotionRequest{unnamed, named} {
		setRequestID(request.ProtoReflect(), "key")
	}
	if unnamed.GetRequestId() != "key" || named.GetRequestId() != "mine" {
		t.Errorf("%q and %q", unnamed.GetRequestId(), named.GetRequestId())
	}
	without := &libraryv1.GetAssetRequest{Name: "n"}
	setRequestID(without.ProtoReflect(), "key")
	if !proto.Equal(without, &libraryv1.GetAssetRequest{Name: "n"}) {
		t.Errorf("%v", without)
	}
}

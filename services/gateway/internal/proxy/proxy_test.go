package proxy

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/grpc/metadata"

	"praxiscope/gateway/internal/guard"
)

func carriedOf(given metadata.MD) metadata.MD {
	carried, _ := metadata.FromOutgoingContext(outgoing(metadata.NewIncomingContext(context.Background(), given)))
	return carried
}

func TestOnlyWhatServicesReadIsCarried(t *testing.T) {
	carried := carriedOf(metadata.Pairs("authorization", "Bearer a", "x-request-id", "r", "traceparent", "t", "x-praxiscope-variant", "canary", "x-other", "o", "x-odd-bin", "\xff", "cookie", "c",
		guard.ClientAddressKey, "10.0.0.1", "baggage", strings.Repeat("b", 20_000)))
	if len(carried) != 4 || carried.Get("x-praxiscope-variant")[0] != "canary" || carried.Get("authorization")[0] != "Bearer a" || carried.Get("x-request-id")[0] != "r" || carried.Get("traceparent")[0] != "t" {
		t.Errorf("carried %v", carried)
	}
}

func TestMetadataThatCannotBeCarriedIsDroppedAndACredentialOfThatKindRefused(t *testing.T) {
	for _, odd := range []string{"Bearer \xe9", "Bearer " + strings.Repeat("a", 9000)} {
		carried := carriedOf(metadata.Pairs("authorization", odd, "x-request-id", "r\xff", "tracestate", strings.Repeat("s", 9000)))
		if len(carried) != 1 || carried.Get("authorization")[0] != guard.BadCredential {
			t.Errorf("carried %v", carried)
		}
	}
}

func TestAReasonIsCutBetweenLetters(t *testing.T) {
	for length := range 200 {
		if reason := shortened(strings.Repeat("a", length%3) + strings.Repeat("é", length)); !utf8.ValidString(reason) || len(reason) > maxReason {
			t.Errorf("%q", reason)
		}
	}
}

package guard

import (
	"context"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"

	authv1 "praxiscope/gateway/gen/praxiscope/auth/v1"
	_ "praxiscope/gateway/gen/praxiscope/library/v1"
	typev1 "praxiscope/gateway/gen/praxiscope/type/v1"
	"praxiscope/gateway/internal/config"
	"praxiscope/gateway/internal/status"
)

const listAssets = "/praxiscope.library.v1.AssetService/ListAssets"

// auth answers like auth would, counts how often it is asked, and keeps with what.
type auth struct {
	exchanges int
	carried   metadata.MD
}

func (a *auth) Invoke(ctx context.Context, method string, request, reply any, _ ...grpc.CallOption) error {
	a.exchanges++
	a.carried, _ = metadata.FromOutgoingContext(ctx)
	exchange, isExchange := request.(*authv1.ExchangeApiKeyRequest)
	if !isExchange {
		return grpcstatus.Error(codes.Unavailable, method)
	}
	if exchange.GetApiKey() != "pxk_good" {
		return status.New(codes.Unauthenticated, "INVALID_API_KEY", "no")
	}
	reply.(*authv1.TokenSet).AccessToken = "the token" //nolint:forcetypeassert  the client asked for it
	return nil
}

func (a *auth) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, grpcstatus.Error(codes.Unimplemented, "auth has no streams")
}

func generous() map[typev1.RateClass]config.Rate {
	rates := map[typev1.RateClass]config.Rate{}
	for number := range typev1.RateClass_name {
		rates[typev1.RateClass(number)] = config.Rate{PerSecond: 1000, Burst: 1000}
	}
	return rates
}

func call(pairs ...string) context.Context {
	return metadata.NewOutgoingContext(context.Background(), metadata.Pairs(pairs...))
}

func TestAnAPIKeyIsSwappedOnceAndNeverPassedOn(t *testing.T) {
	asked := &auth{}
	guard := New(asked, generous())
	for range 3 {
		admitted, err := guard.Admit(call("authorization", "Bearer pxk_good", "x-api-key", "pxk_good"), listAssets)
		if err != nil {
			t.Fatal(err)
		}
		outgoing, _ := metadata.FromOutgoingContext(admitted)
		if got := outgoing.Get("authorization"); len(got) != 1 || got[0] != "Bearer the token" || len(outgoing.Get("x-api-key")) != 0 {
			t.Fatalf("passed on: %v", outgoing)
		}
	}
	if asked.exchanges != 1 {
		t.Errorf("auth was asked %d times", asked.exchanges)
	}
}

func TestABadCredentialIsRefusedButNotWhereNoneIsNeeded(t *testing.T) {
	guard := New(&auth{}, generous())
	for _, credential := range []string{"Bearer pxk_bad", "Bearer not.a.token"} {
		if _, err := guard.Admit(call("authorization", credential), listAssets); grpcstatus.Code(err) != codes.Unauthenticated {
			t.Errorf("%s answered %v", credential, err)
		}
		admitted, err := guard.Admit(call("authorization", credential), "/praxiscope.auth.v1.TokenService/Login")
		if err != nil {
			t.Errorf("%s to log in answered %v", credential, err)
		}
		if outgoing, _ := metadata.FromOutgoingContext(admitted); len(outgoing.Get("authorization")) != 0 {
			t.Error("a credential that does not hold was passed on")
		}
	}
}

func TestAuthIsAskedWithoutTheCallersCredential(t *testing.T) {
	for _, credential := range []string{"Bearer pxk_good", "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.eA"} {
		asked := &auth{}
		_, _ = New(asked, generous()).Admit(call("authorization", credential, "x-api-key", "", "x-request-id", "r"), listAssets)
		if asked.exchanges != 1 || len(asked.carried.Get("authorization"))+len(asked.carried.Get("x-api-key")) != 0 || len(asked.carried.Get("x-request-id")) != 1 {
			t.Errorf("%s: auth was asked %d times, with %v", credential, asked.exchanges, asked.carried)
		}
	}
}

func TestWithoutACredentialWhatWantsOneIsRefused(t *testing.T) {
	for method, code := range map[string]codes.Code{
		listAssets: codes.Unauthenticated, "/google.longrunning.Operations/GetOperation": codes.Unauthenticated,
		"/praxiscope.auth.v1.TokenService/Login": codes.OK, "/praxiscope.library.v1.AssetService/Nothing": codes.OK,
	} {
		if _, err := New(&auth{}, generous()).Admit(call(), method); grpcstatus.Code(err) != code {
			t.Errorf("%s answered %v", method, err)
		}
	}
}

func TestACallerWhoIsTooFastIsToldWhenToComeBack(t *testing.T) {
	rates := generous()
	rates[typev1.RateClass_RATE_CLASS_READ] = config.Rate{PerSecond: 0.5, Burst: 2}
	guard := New(&auth{}, rates)
	var err error
	for range 3 {
		_, err = guard.Admit(call("authorization", "Bearer pxk_good", ClientAddressKey, "192.0.2.1"), listAssets)
	}
	after, says := status.RetryAfter(err)
	if grpcstatus.Code(err) != codes.ResourceExhausted || !says || after <= 0 || after > 3*time.Second {
		t.Fatalf("%v after %v", err, after)
	}
	if _, err := guard.Admit(call("authorization", "Bearer pxk_good", ClientAddressKey, "192.0.2.2"), listAssets); grpcstatus.Code(err) == codes.OK {
		t.Error("the caller got through from another address")
	}
	if _, err := guard.Admit(call(ClientAddressKey, "192.0.2.2"), "/praxiscope.auth.v1.TokenService/GetKeySet"); err != nil {
		t.Errorf("another caller was slowed down: %v", err)
	}
}

func TestAnAddressHasALimitOfItsOwn(t *testing.T) {
	rates := generous()
	rates[typev1.RateClass_RATE_CLASS_LOGIN] = config.Rate{PerSecond: 0.001, Burst: 1}
	guard := New(&auth{}, rates)
	refused := 0
	for range 10 {
		if _, err := guard.Admit(call(ClientAddressKey, "2001:db8::1"), "/praxiscope.auth.v1.TokenService/Login"); err != nil {
			refused++
		}
	}
	if refused != 10-addressFactor {
		t.Errorf("%d of 10 were refused", refused)
	}
	if _, err := guard.Admit(call(ClientAddressKey, "2001:db8::2"), "/praxiscope.auth.v1.TokenService/Login"); err == nil {
		t.Error("a neighbour in the same network got a bucket of its own")
	}
}

func TestBucketsDoNotGrowWithoutEnd(t *testing.T) {
	limits := NewLimits(generous())
	for index := range maxBuckets + 10 {
		if err := limits.Take(strconv.Itoa(index), typev1.RateClass_RATE_CLASS_READ, 1); err != nil {
			t.Fatal(err)
		}
	}
	if len(limits.held) > maxBuckets {
		t.Errorf("%d buckets are held", len(limits.held))
	}
}

func TestEveryMethodSaysItsRateClass(t *testing.T) {
	if got := accessOf(listAssets).GetRateClass(); got != typev1.RateClass_RATE_CLASS_READ {
		t.Errorf("ListAssets is %v", got)
	}
	if accessOf("/nobody.knows.v1.This/Method").GetPermission() != "" {
		t.Error("an unknown method has a permission")
	}
}

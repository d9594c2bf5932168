// Package guard stands before every call to a service, whichever way it came in: it checks tokens, swaps API keys for tokens and limits rates. What a caller
// may do is decided by the services alone.
package guard

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	typev1 "praxiscope/gateway/gen/praxiscope/type/v1"
	"praxiscope/gateway/internal/config"
	"praxiscope/gateway/internal/status"
)

const (
	apiKeyPrefix = "pxk_"
	// ClientAddressKey carries the caller's address to the services; only what the gateway writes there arrives.
	ClientAddressKey = "x-praxiscope-client-address"
	// VariantKey says which of two versions of a service a caller wants; meshes route by it.
	VariantKey = "x-praxiscope-variant"
	// MaxVariant is the longest variant that is carried.
	MaxVariant       = 32
	publicPermission = "public"
	// The standard clients of long work have no contract of ours; all of theirs want a token.
	longRunning = "/google.longrunning.Operations/"
	// An address may stand for a whole office, so it gets more than one caller does.
	addressFactor = 4
	// MaxCredentialBytes is the longest token or key that is looked at; ours are a quarter of it, and services take 8 KiB of metadata in all.
	MaxCredentialBytes = 6 << 10
	// BadCredential stands for a credential that cannot be carried, so that it is refused as any other that does not hold.
	BadCredential = "Bearer unreadable"
)

// Guard checks calls.
type Guard struct {
	keys   *KeyRing
	swap   *Swapper
	limits *Limits
}

// New returns a guard that asks auth over conn, which must not be guarded itself.
func New(conn grpc.ClientConnInterface, rates map[typev1.RateClass]config.Rate) *Guard {
	return &Guard{keys: NewKeyRing(conn), swap: NewSwapper(conn), limits: NewLimits(rates)}
}

// Unary guards a unary call.
func (g *Guard) Unary(
	ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	guarded, err := g.Admit(ctx, method)
	if err != nil {
		return err
	}
	return invoke(guarded, method, request, reply, conn, options...)
}

// Stream guards a streaming call.
func (g *Guard) Stream(
	ctx context.Context, description *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	guarded, err := g.Admit(ctx, method)
	if err != nil {
		return nil, err
	}
	return open(guarded, description, conn, method, options...)
}

// Admit returns the context with which a call may go on: with a token in place of an API key.
func (g *Guard) Admit(ctx context.Context, method string) (context.Context, error) {
	outgoing, _ := metadata.FromOutgoingContext(ctx)
	access := accessOf(method)
	address := last(outgoing.Get(ClientAddressKey))
	if err := g.limits.Take("address "+addressGroup(address), access.GetRateClass(), addressFactor); err != nil {
		return nil, err
	}
	credential := credentialIn(outgoing)
	outgoing = outgoing.Copy()
	for _, name := range []string{"authorization", "grpcgateway-authorization", "x-api-key", "cookie", "grpcgateway-cookie"} {
		outgoing.Delete(name)
	}
	// What is asked of auth on the way carries no credential of the caller's: a mesh before auth takes nothing for a token that is none.
	ctx = metadata.NewOutgoingContext(ctx, outgoing)
	if credential == "" {
		if wantsToken(method, access) {
			return nil, missingToken() // a mesh would refuse the call without saying why
		}
		return ctx, nil
	}
	token, subject, err := g.tokenFor(ctx, credential)
	if err != nil {
		if access.GetPermission() == publicPermission {
			return ctx, nil // who logs in may still carry a token that has ended
		}
		return nil, err
	}
	if err := g.limits.Take("caller "+subject, access.GetRateClass(), 1); err != nil {
		return nil, err
	}
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token), nil
}

// wantsToken says whether a method is known to be none that anybody may call; of one that no contract has nothing is known here.
func wantsToken(method string, access *typev1.Access) bool {
	permission := access.GetPermission()
	return (permission != "" && permission != publicPermission) || strings.HasPrefix(method, longRunning)
}

func (g *Guard) tokenFor(ctx context.Context, credential string) (token, subject string, err error) {
	if !IsPlain(credential, MaxCredentialBytes) {
		return "", "", invalidToken()
	}
	if !strings.HasPrefix(credential, apiKeyPrefix) {
		subject, err = g.keys.Subject(ctx, credential)
		return credential, subject, err
	}
	digest := sha256.Sum256([]byte(credential))
	token, err = g.swap.Token(ctx, hex.EncodeToString(digest[:]), credential)
	return token, "key " + hex.EncodeToString(digest[:8]), err
}

// IsPlain says whether a text is printable ASCII of at most so many bytes: what gRPC's metadata can carry.
func IsPlain(text string, most int) bool {
	if len(text) > most {
		return false
	}
	for index := range len(text) {
		if text[index] < ' ' || text[index] > '~' {
			return false
		}
	}
	return true
}

func credentialIn(outgoing metadata.MD) string {
	if key := last(outgoing.Get("x-api-key")); key != "" {
		return key
	}
	scheme, credential, _ := strings.Cut(last(outgoing.Get("authorization")), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(credential)
}

// IsRead says whether a method's contract has it among those that only read.
func IsRead(method string) bool {
	return accessOf(method).GetRateClass() == typev1.RateClass_RATE_CLASS_READ
}

// accessOf returns what a method's contract asks; a method that no contract has asks for nothing here and is refused by its service.
func accessOf(method string) *typev1.Access {
	name := protoreflect.FullName(strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", "."))
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
	if err != nil {
		return &typev1.Access{}
	}
	access, isAccess := proto.GetExtension(found.Options(), typev1.E_Access).(*typev1.Access)
	if !isAccess || access == nil {
		return &typev1.Access{}
	}
	return access
}

// addressGroup returns what shares a bucket: one IPv4 address, or one IPv6 network of 64 bits, since a household has a whole one.
func addressGroup(address string) string {
	parsed, err := netip.ParseAddr(address)
	if err != nil || parsed.Is4() || parsed.Is4In6() {
		return address
	}
	network, err := parsed.Prefix(64)
	if err != nil {
		return address
	}
	return network.String()
}

func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

func invalidToken() error {
	return status.New(codes.Unauthenticated, "INVALID_TOKEN", "The access token does not hold; log in again or send an API key.")
}

func missingToken() error {
	return status.New(codes.Unauthenticated, "UNAUTHENTICATED", "The call carries no valid credential; log in or send an API key.")
}

func tooFast(wait time.Duration) error {
	return status.RetryLater(codes.ResourceExhausted, "RATE_LIMITED", "Too many calls; wait a little, then go on.", wait)
}

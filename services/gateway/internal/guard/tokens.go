package guard

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/singleflight"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"

	authv1 "praxiscope/gateway/gen/praxiscope/auth/v1"
)

const (
	issuer            = "praxiscope-auth"
	audience          = "praxiscope"
	keyLifetime       = 5 * time.Minute
	unknownKeyPause   = 2 * time.Second
	swapLifetime      = 60 * time.Second // decisions: API keys are swapped once a minute
	maxSwapped        = 10_000
	authCallTimeout   = 5 * time.Second
	clockLeeway       = 10 * time.Second
	badCredentialTime = 5 * time.Second
)

// KeyRing holds the public keys of access tokens.
type KeyRing struct {
	client authv1.TokenServiceClient
	mutex  sync.Mutex
	keys   map[string]*rsa.PublicKey
	read   time.Time
}

// NewKeyRing returns a ring that asks auth over conn.
func NewKeyRing(conn grpc.ClientConnInterface) *KeyRing {
	return &KeyRing{client: authv1.NewTokenServiceClient(conn)}
}

// Subject returns for whom a token speaks.
func (k *KeyRing) Subject(ctx context.Context, token string) (string, error) {
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(token, &claims, func(parsed *jwt.Token) (any, error) {
		id, _ := parsed.Header["kid"].(string)
		return k.key(ctx, id)
	}, jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithExpirationRequired(), jwt.WithLeeway(clockLeeway))
	if err != nil {
		return "", invalidToken()
	}
	return claims.Subject, nil
}

func (k *KeyRing) key(ctx context.Context, id string) (*rsa.PublicKey, error) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	found, known := k.keys[id]
	age := time.Since(k.read)
	if (known && age < keyLifetime) || (!known && age < unknownKeyPause) {
		return found, keyError(known)
	}
	ctx, cancel := context.WithTimeout(ctx, authCallTimeout)
	defer cancel()
	set, err := k.client.GetKeySet(ctx, &authv1.GetKeySetRequest{})
	if err != nil {
		return found, keyError(known)
	}
	keys := map[string]*rsa.PublicKey{}
	for _, item := range set.GetKeys() {
		if key := publicKey(item); key != nil {
			keys[item.GetKid()] = key
		}
	}
	k.keys, k.read = keys, time.Now()
	found, known = keys[id]
	return found, keyError(known)
}

func keyError(known bool) error {
	if known {
		return nil
	}
	return jwt.ErrTokenUnverifiable
}

func publicKey(item *authv1.JsonWebKey) *rsa.PublicKey {
	modulus, errModulus := base64.RawURLEncoding.DecodeString(item.GetN())
	exponent, errExponent := base64.RawURLEncoding.DecodeString(item.GetE())
	if errModulus != nil || errExponent != nil {
		return nil
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(new(big.Int).SetBytes(exponent).Int64())}
}

// Swapper swaps API keys for tokens and remembers for a minute what came out; it knows keys by their digests only.
type Swapper struct {
	client authv1.TokenServiceClient
	flight singleflight.Group
	mutex  sync.Mutex
	held   map[string]swapped
}

type swapped struct {
	token string
	err   error
	until time.Time
}

// NewSwapper returns a swapper that asks auth over conn.
func NewSwapper(conn grpc.ClientConnInterface) *Swapper {
	return &Swapper{client: authv1.NewTokenServiceClient(conn), held: map[string]swapped{}}
}

// Token returns the access token that belongs to an API key.
func (s *Swapper) Token(ctx context.Context, digest, apiKey string) (string, error) {
	if found, known := s.find(digest); known {
		return found.token, found.err
	}
	made, err, _ := s.flight.Do(digest, func() (any, error) {
		// The call serves everybody who waits for it, so it does not end with the one who came first.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), authCallTimeout)
		defer cancel()
		tokens, err := s.client.ExchangeApiKey(ctx, &authv1.ExchangeApiKeyRequest{ApiKey: apiKey})
		entry := swapped{token: tokens.GetAccessToken(), err: err, until: time.Now().Add(swapLifetime)}
		if err != nil {
			entry.until = time.Now().Add(badCredentialTime)
		}
		if err == nil || isRefusal(err) {
			s.keep(digest, entry)
		}
		return entry, nil
	})
	if err != nil {
		return "", err
	}
	entry, _ := made.(swapped)
	return entry.token, entry.err
}

func (s *Swapper) find(digest string) (swapped, bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found, known := s.held[digest]
	if known && time.Now().After(found.until) {
		delete(s.held, digest)
		return swapped{}, false
	}
	return found, known
}

func (s *Swapper) keep(digest string, entry swapped) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.held) >= maxSwapped {
		clear(s.held)
	}
	s.held[digest] = entry
}

// isRefusal says whether auth refused the key, in contrast to not having been there.
func isRefusal(err error) bool {
	return grpcstatus.Code(err) == codes.Unauthenticated
}

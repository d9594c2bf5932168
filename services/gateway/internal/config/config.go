// Package config reads the gateway's settings from the environment, once, with every problem reported at once.
package config

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	typev1 "praxiscope/gateway/gen/praxiscope/type/v1"
)

const prefix = "PRAXISCOPE_GATEWAY_"

// Services are the areas of the contracts and the settings that say where they answer.
var Services = map[string]string{
	"praxiscope.auth.v1":         "AUTH_ADDRESS",
	"praxiscope.library.v1":      "LIBRARY_ADDRESS",
	"google.longrunning":         "LIBRARY_ADDRESS",
	"praxiscope.vision.v1":       "VISION_INFERENCE_ADDRESS",
	"praxiscope.tracking.v1":     "TRACKING_ADDRESS",
	"praxiscope.biomechanics.v1": "BIOMECHANICS_ADDRESS",
	"praxiscope.rendering.v1":    "RENDERING_ADDRESS",
	"praxiscope.generation.v1":   "GENERATION_ADDRESS",
	"praxiscope.editing.v1":      "EDITING_ADDRESS",
}

// Rate is a token bucket.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Settings are the gateway's settings.
type Settings struct {
	Address        string                    // host:port of the one public port
	GRPCAddress    string                    // host:port of one more port for meshes that speak one protocol to a port; empty opens none
	MetricsAddress string                    // host:port that answers scrapes; empty answers none
	Backends       map[string]string         // host:port by proto package
	TicketKey      ed25519.PublicKey         // checks tickets of uploads and downloads
	StoreRoot      string                    // folder of a file system store; empty with S3
	ConsoleRoot    string                    // folder of the console's files; empty serves none
	AllowedOrigins []string                  // origins whose pages may call
	TrustedProxies []netip.Prefix            // whose X-Forwarded-For is believed
	Rates          map[typev1.RateClass]Rate // per caller; an address gets four times as much
	MaxBodyBytes   int64                     // largest JSON body
	Grace          time.Duration             // how long calls in flight may still take at the end
	OTLPEndpoint   string                    // host:port of a receiver of traces; empty sends none
	LogLevel       slog.Level
}

var defaultRates = map[typev1.RateClass]Rate{
	typev1.RateClass_RATE_CLASS_READ:    {PerSecond: 100, Burst: 300},
	typev1.RateClass_RATE_CLASS_WRITE:   {PerSecond: 40, Burst: 120},
	typev1.RateClass_RATE_CLASS_COMPUTE: {PerSecond: 5, Burst: 30},
	typev1.RateClass_RATE_CLASS_STREAM:  {PerSecond: 20, Burst: 100},
	typev1.RateClass_RATE_CLASS_LOGIN:   {PerSecond: 0.5, Burst: 10},
}

type reader struct {
	lookup   func(string) (string, bool)
	problems []error
}

// Read returns the settings that the environment gives.
func Read(lookup func(string) (string, bool)) (*Settings, error) {
	r := &reader{lookup: lookup}
	settings := &Settings{
		Address:        r.text("ADDRESS", ""),
		GRPCAddress:    r.optional("GRPC_ADDRESS"),
		MetricsAddress: r.optional("METRICS_ADDRESS"),
		Backends:       map[string]string{},
		StoreRoot:      r.optional("STORE_ROOT"),
		ConsoleRoot:    r.folder("CONSOLE_ROOT"),
		OTLPEndpoint:   r.optional("OTLP_ENDPOINT"),
		AllowedOrigins: words(r.optional("ALLOWED_ORIGINS")),
		MaxBodyBytes:   int64(r.number("MAX_BODY_BYTES", 6<<20)),
		Grace:          time.Duration(r.number("GRACE_S", 20) * float64(time.Second)),
		Rates:          map[typev1.RateClass]Rate{},
	}
	for area, name := range Services {
		settings.Backends[area] = r.text(name, "")
	}
	settings.TicketKey = r.publicKey("TICKET_PUBLIC_KEY_FILE")
	for _, cidr := range words(r.optional("TRUSTED_PROXIES")) {
		network, err := netip.ParsePrefix(cidr)
		r.note("TRUSTED_PROXIES", err)
		settings.TrustedProxies = append(settings.TrustedProxies, network)
	}
	for class, rate := range defaultRates {
		name := strings.TrimPrefix(class.String(), "RATE_CLASS_")
		rate.PerSecond = r.number("RATE_"+name+"_PER_SECOND", rate.PerSecond)
		rate.Burst = int(r.number("RATE_"+name+"_BURST", float64(rate.Burst)))
		settings.Rates[class] = rate
	}
	if err := settings.LogLevel.UnmarshalText([]byte(r.text("LOG_LEVEL", "INFO"))); err != nil {
		r.note("LOG_LEVEL", err)
	}
	if len(r.problems) > 0 {
		return nil, fmt.Errorf("the configuration is not valid:\n%w", errors.Join(r.problems...))
	}
	return settings, nil
}

func (r *reader) optional(name string) string {
	value, _ := r.lookup(prefix + name)
	return value
}

func (r *reader) text(name, fallback string) string {
	if value := r.optional(name); value != "" {
		return value
	}
	if fallback == "" {
		r.problems = append(r.problems, fmt.Errorf("  %s%s is not set", prefix, name))
	}
	return fallback
}

func (r *reader) folder(name string) string {
	value := r.optional(name)
	if value != "" {
		found, err := os.Stat(value)
		if err == nil && !found.IsDir() {
			err = errors.New("it is no folder")
		}
		r.note(name, err)
	}
	return value
}

func (r *reader) number(name string, fallback float64) float64 {
	value := r.optional(name)
	if value == "" {
		return fallback
	}
	number, err := strconv.ParseFloat(value, 64)
	r.note(name, err)
	return number
}

func (r *reader) publicKey(name string) ed25519.PublicKey {
	path := r.text(name, "")
	if path == "" {
		return nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		r.note(name, err)
		return nil
	}
	block, _ := pem.Decode(content)
	if block == nil {
		r.note(name, errors.New("the file holds no PEM block"))
		return nil
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, isEd25519 := parsed.(ed25519.PublicKey)
	if err == nil && !isEd25519 {
		err = errors.New("the key is not an Ed25519 key")
	}
	r.note(name, err)
	return key
}

func (r *reader) note(name string, err error) {
	if err != nil {
		r.problems = append(r.problems, fmt.Errorf("  %s%s cannot be read: %w", prefix, name, err))
	}
}

func words(text string) []string {
	var found []string
	for _, word := range strings.Split(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			found = append(found, word)
		}
	}
	return found
}

package guard

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	typev1 "praxiscope/gateway/gen/praxiscope/type/v1"
	"praxiscope/gateway/internal/config"
)

const (
	maxBuckets = 100_000
	idleAfter  = 10 * time.Minute
)

// Limits keeps a token bucket for every caller, address and class. Buckets are this replica's own: with n replicas a caller gets up to n times as much.
type Limits struct {
	rates map[typev1.RateClass]config.Rate
	mutex sync.Mutex
	held  map[bucketKey]*bucket
	swept time.Time
}

type bucketKey struct {
	who   string
	class typev1.RateClass
}

type bucket struct {
	limiter *rate.Limiter
	used    time.Time
}

// NewLimits returns limits without any bucket yet.
func NewLimits(rates map[typev1.RateClass]config.Rate) *Limits {
	return &Limits{rates: rates, held: map[bucketKey]*bucket{}, swept: time.Now()}
}

// Take takes a token, or says when there will be one.
func (l *Limits) Take(who string, class typev1.RateClass, factor int) error {
	if class == typev1.RateClass_RATE_CLASS_UNSPECIFIED {
		class = typev1.RateClass_RATE_CLASS_READ
	}
	now := time.Now()
	reservation := l.limiter(bucketKey{who: who, class: class}, factor, now).ReserveN(now, 1)
	if wait := reservation.DelayFrom(now); wait > 0 {
		reservation.CancelAt(now)
		return tooFast(wait)
	}
	return nil
}

func (l *Limits) limiter(key bucketKey, factor int, now time.Time) *rate.Limiter {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if found, exists := l.held[key]; exists {
		found.used = now
		return found.limiter
	}
	if len(l.held) >= maxBuckets || now.Sub(l.swept) > idleAfter {
		l.sweep(now)
	}
	allowed := l.rates[key.class]
	made := &bucket{limiter: rate.NewLimiter(rate.Limit(allowed.PerSecond*float64(factor)), allowed.Burst*factor), used: now}
	l.held[key] = made
	return made.limiter
}

// sweep drops buckets that nobody uses; under a flood of new callers it drops all, which is kinder than growing without end.
func (l *Limits) sweep(now time.Time) {
	l.swept = now
	for key, found := range l.held {
		if now.Sub(found.used) > idleAfter {
			delete(l.held, key)
		}
	}
	if len(l.held) >= maxBuckets {
		clear(l.held)
	}
}

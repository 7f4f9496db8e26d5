package api

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A Rate is how many requests are taken: so many a second in the long run, and so many at once.
type Rate struct {
	PerSecond float64
	Burst     int
}

// The rates of an installation that configures nothing.
var (
	defaultKeyRate      = Rate{PerSecond: 1000, Burst: 2000}
	defaultStrangerRate = Rate{PerSecond: 1, Burst: 20}
)

// maxBuckets bounds how many callers are told apart.
const maxBuckets = 10_000

// buckets counts the requests of callers by name.
type buckets struct {
	rate Rate
	mu   sync.Mutex
	of   map[string]*rate.Limiter
}

func newBuckets(r, standard Rate) *buckets {
	if r.PerSecond <= 0 || r.Burst <= 0 {
		r = standard
	}
	return &buckets{rate: r, of: map[string]*rate.Limiter{}}
}

// has reports whether the caller has been counted before.
func (b *buckets) has(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.of[name] != nil
}

func (b *buckets) forget(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.of, name)
}

func (b *buckets) limiter(name string, now time.Time) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.of[name]
	if l != nil {
		return l
	}
	if len(b.of) >= maxBuckets {
		b.sweep(now)
	}
	l = rate.NewLimiter(rate.Limit(b.rate.PerSecond), b.rate.Burst)
	b.of[name] = l
	return l
}

// sweep forgets those who are as good as new, and if that is not enough, everybody.
func (b *buckets) sweep(now time.Time) {
	for name, l := range b.of {
		if l.TokensAt(now) >= float64(b.rate.Burst) {
			delete(b.of, name)
		}
	}
	if len(b.of) >= maxBuckets {
		clear(b.of)
	}
}

// empty returns how long the caller must wait; zero if not at all. It counts nothing.
func (b *buckets) empty(name string, now time.Time) time.Duration {
	missing := 1 - b.limiter(name, now).TokensAt(now)
	if missing <= 0 {
		return 0
	}
	return max(time.Duration(missing/b.rate.PerSecond*float64(time.Second)), time.Millisecond)
}

// take counts a request; if it is one too many it returns how long to wait.
func (b *buckets) take(name string, now time.Time) (left int, wait time.Duration) {
	l := b.limiter(name, now)
	if l.AllowN(now, 1) {
		return int(l.TokensAt(now)), 0
	}
	return 0, b.empty(name, now)
}

// seconds rounds up, to what Retry-After and RateLimit can say.
func seconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// throttle counts a request of a key and tells in the headers how many are left, as draft-ietf-httpapi-ratelimit-headers
// has it. If it reports false, it has answered.
func (h *handler) throttle(w http.ResponseWriter, r *http.Request, key string) bool {
	left, wait := h.keys.take(key, h.Now())
	rate := h.keys.rate
	until := wait
	if wait == 0 {
		until = time.Duration(float64(rate.Burst-left) / rate.PerSecond * float64(time.Second))
	}
	w.Header().Set("RateLimit-Policy", fmt.Sprintf(`"key";q=%d;w=%d`, rate.Burst, max(1, seconds(time.Duration(float64(rate.Burst)/rate.PerSecond*float64(time.Second))))))
	w.Header().Set("RateLimit", fmt.Sprintf(`"key";r=%d;t=%d`, left, seconds(until)))
	if wait > 0 {
		h.refuse(w, r, problem{
			kind: "rate-limit", status: http.StatusTooManyRequests, retry: wait,
			detail: fmt.Sprintf("this key may make %s requests a second; wait as long as Retry-After says", strconv.FormatFloat(rate.PerSecond, 'f', -1, 64)),
		})
		return false
	}
	return true
}

// strange returns the name by which somebody without a valid key is counted: the address, of IPv6 the network.
func strange(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	addr := at.Addr().Unmap().WithZone("")
	if addr.Is6() {
		if network, err := addr.Prefix(64); err == nil {
			return network.String()
		}
	}
	return addr.String()
}

func tooManyFailures(wait time.Duration) problem {
	return problem{
		kind: "rate-limit", status: http.StatusTooManyRequests, retry: wait,
		detail: "too many requests without a valid API key came from this address; wait as long as Retry-After says",
	}
}

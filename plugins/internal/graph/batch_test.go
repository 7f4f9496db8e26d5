package graph

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// Of the requests in a batch that are throttled, those that may come again in a moment are asked once more; for the others,
// and should that fail, the host waits.
func TestThrottledPartsOfABatch(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		after   string
		twice   bool // refused the second time, too
		batches int
		waited  time.Duration
		kind    fault.Kind
	}{
		"a moment":            {after: "2", batches: 2, waited: 2 * time.Second},
		"a moment, and again": {after: "2", twice: true, batches: 2, waited: 2 * time.Second, kind: fault.Throttled},
		"long":                {after: "600", batches: 1, kind: fault.Throttled},
		"nobody knows":        {after: "", batches: 1, kind: fault.Throttled},
	} {
		synctest.Test(t, func(t *testing.T) {
			batches := 0
			b, m := fakeBackend(t, func(r *http.Request) (*http.Response, error) {
				if strings.HasSuffix(r.URL.Path, "/calendar") {
					return answered(r, 200, `{"id":"calendar"}`), nil
				}
				var sent struct{ Requests []batchRequest }
				if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
					t.Error(err)
				}
				batches++
				var parts []string
				for i, one := range sent.Requests {
					if i == 0 && (batches == 1 || tc.twice) {
						parts = append(parts, fmt.Sprintf(`{"id":%q,"status":429,"headers":{"Retry-After":%q},"body":{"error":{"code":"TooManyRequests","message":"m"}}}`, one.ID, tc.after))
						continue
					}
					parts = append(parts, fmt.Sprintf(`{"id":%q,"status":404,"body":{"error":{"code":"ErrorItemNotFound","message":"m"}}}`, one.ID))
				}
				return answered(r, 200, `{"responses":[`+strings.Join(parts, ",")+`]}`), nil
			})
			began := time.Now()
			got, err := b.Fetch(t.Context(), m, []calendar.Ref{"a", "b"})
			if fault.Of(err) != tc.kind || batches != tc.batches || time.Since(began) != tc.waited {
				t.Errorf("%s: %v after %d batches and %s", name, err, batches, time.Since(began))
			}
			if tc.kind == "" && (fault.Of(got[0].Err) != fault.NotFound || fault.Of(got[1].Err) != fault.NotFound) {
				t.Errorf("%s: %+v", name, got)
			}
			if tc.kind != "" && tc.after != "" && fault.After(err).String() == "0s" {
				t.Errorf("%s: the error does not say how long to wait", name)
			}
		})
	}
}

// Of one mailbox at most four requests are under way, a batch counting for four.
func TestAtMostFourRequestsPerMailbox(t *testing.T) {
	t.Parallel()
	busy, most := make(chan int, 1), make(chan int, 1)
	busy <- 0
	most <- 0
	b, m := fakeBackend(t, func(r *http.Request) (*http.Response, error) {
		weight := 1
		if strings.HasSuffix(r.URL.Path, "$batch") {
			weight = perMailbox
		}
		now := <-busy + weight
		busy <- now
		most <- max(<-most, now)
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		busy <- <-busy - weight
		return answered(r, 500, ""), nil
	})
	done := make(chan struct{})
	for i := range 20 {
		go func() {
			defer func() { done <- struct{}{} }()
			refs := []calendar.Ref{"a", "b"}[:1+i%2]
			_, _ = b.Fetch(context.Background(), m, refs)
		}()
	}
	for range 20 {
		<-done
	}
	if n := <-most; n > perMailbox {
		t.Errorf("%d requests were under way at once", n)
	}
	if len(b.lanes.boxes) != 0 {
		t.Errorf("%d mailboxes are remembered", len(b.lanes.boxes))
	}
}

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// onlineFlag has exchangesim be Exchange Online as well.
const onlineFlag = "--listen-online"

// The sync modes of Exchange Online.
const (
	modeEWS   = "O365"
	modeGraph = "Microsoft365"
)

// The organization that exchangesim has unless told otherwise, and the app that may read everybody's calendar.
const (
	tenantID  = "11111111-2222-3333-4444-555555555555"
	appID     = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	appSecret = "app-secret"
)

// ewsOrigin and graphOrigin are one listener under two names, so that tokens for the one are not good for the other.
func (x *exchange) ewsOrigin() string   { return strings.Replace(x.online, "127.0.0.1", "localhost", 1) }
func (x *exchange) graphOrigin() string { return x.online }

// inTheCloud are the sync modes of Exchange Online.
func (s *site) inTheCloud() string {
	var hcl strings.Builder
	for mode, address := range map[string]string{modeEWS: s.ewsOrigin() + "/EWS/Exchange.asmx", modeGraph: s.graphOrigin() + "/v1.0"} {
		fmt.Fprintf(&hcl, `sync_mode %q {
  url           = %q
  cloud         = "custom"
  authority     = %q
  tenant_id     = %q
  app_id        = %q
  client_secret = %q
  http {
    ca_file = %q
  }
}
`, mode, address, s.online, tenantID, appID, appSecret, s.certFile)
	}
	return hcl.String()
}

// token asks the login server for an access token for what is at origin, and returns how a request bears it.
func (x *exchange) token(ctx context.Context, client *http.Client, origin string) (authorize func(*http.Request), err error) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {appID}, "client_secret": {appSecret}, "scope": {origin + "/.default"},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.online+"/"+tenantID+"/oauth2/v2.0/token", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var got struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&got); err != nil || got.Token == "" {
		return nil, fmt.Errorf("the login server answers %s without a token: %w", resp.Status, err)
	}
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+got.Token) }, nil
}

// calls are what was asked of the stand-in: how often by operation, and how many of those requests came within a batch.
type calls struct {
	counts    map[string]int
	inBatches int
}

func (x *exchange) calls() (t calls, err error) {
	var stats struct {
		InBatches int `json:"graph_in_batches"`
	}
	if err = x.do(http.MethodGet, "stats", nil, nil, &stats); err == nil {
		t.inBatches = stats.InBatches
		t.counts, err = x.counts()
	}
	return t, err
}

// since is what came after before.
func (t calls) since(before calls) calls {
	d := calls{counts: map[string]int{}, inBatches: t.inBatches - before.inBatches}
	for name, n := range t.counts {
		if n -= before.counts[name]; n != 0 {
			d.counts[name] = n
		}
	}
	return d
}

// all is how many requests were counted, those within batches too.
func (t calls) all() int {
	sum := 0
	for _, n := range t.counts {
		sum += n
	}
	return sum
}

// requests is how many requests went over the wire: a batch is one.
func (t calls) requests() int {
	return t.all() - t.inBatches
}

// writes is how many requests changed a calendar.
func (t calls) writes() int {
	sum := 0
	for name, n := range t.counts {
		if strings.HasSuffix(name, "Item") && name != "GetItem" || strings.HasSuffix(name, "Event") && name != "GraphGetEvent" {
			sum += n
		}
	}
	return sum
}

// tell lists the operations, most frequent first.
func (t calls) tell(one func(n int) string) string {
	names := slices.SortedFunc(maps.Keys(t.counts), func(a, b string) int { return cmp.Or(cmp.Compare(t.counts[b], t.counts[a]), cmp.Compare(a, b)) })
	for i, name := range names {
		names[i] = one(t.counts[name]) + " " + strings.TrimPrefix(name, "Graph")
	}
	if t.inBatches > 0 {
		names = append(names, fmt.Sprintf("of these %s in batches", one(t.inBatches)))
	}
	return strings.Join(names, ", ")
}

// split separates what was asked of Graph from all else.
func (t calls) split() (rest, graph calls) {
	rest.counts, graph = map[string]int{}, calls{counts: map[string]int{}, inBatches: t.inBatches}
	for name, n := range t.counts {
		if strings.HasPrefix(name, "Graph") {
			graph.counts[name] = n
		} else {
			rest.counts[name] = n
		}
	}
	return rest, graph
}

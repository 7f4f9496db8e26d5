package exchangesim_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/exchangesim"
)

var (
	requestVersion = regexp.MustCompile(`Version="Exchange\w+"`)
	itemIDs        = regexp.MustCompile(`ItemId Id="([^"]*)"(?: ChangeKey="([^"]*)")?`)
	syncStates     = regexp.MustCompile(`<m:SyncState>([^<]*)</m:SyncState>`)
	subscriptions  = regexp.MustCompile(`<m:SubscriptionId>([^<]*)</m:SubscriptionId>`)
	watermarks     = regexp.MustCompile(`<m:Watermark>([^<]*)</m:Watermark>`)
	errorCodes     = regexp.MustCompile(`ResponseCode>(Error\w+)<`)
)

// A player plays the requests of a recorded client, with the ids of this server for those of the recording.
type player struct {
	items   map[string]string // recorded id → element's attributes with ours
	ours    []string          // attributes of ids in the order in which answers showed them, not given to a recorded id yet
	seen    map[string]bool
	replace map[string]string // what the last answer had instead of a recorded value
	subs    []string
}

func (p *player) prepare(body []byte) []byte {
	body = requestVersion.ReplaceAll(body, []byte(`Version="Exchange2016"`))
	body = itemIDs.ReplaceAllFunc(body, func(m []byte) []byte {
		id := string(itemIDs.FindSubmatch(m)[1])
		if _, ok := p.items[id]; !ok && len(p.ours) > 0 {
			p.items[id], p.ours = p.ours[0], p.ours[1:]
		}
		if ours, ok := p.items[id]; ok {
			return []byte(ours)
		}
		return m
	})
	if s := p.replace["state"]; s != "" {
		body = syncStates.ReplaceAll(body, []byte("<m:SyncState>"+s+"</m:SyncState>"))
	}
	body = watermarks.ReplaceAll(body, []byte("<m:Watermark>"+p.replace["watermark"]+"</m:Watermark>"))
	return subscriptions.ReplaceAllFunc(body, func([]byte) []byte {
		id := p.subs[len(p.subs)-1]
		return []byte("<m:SubscriptionId>" + id + "</m:SubscriptionId>")
	})
}

func (p *player) learn(name string, answer []byte) {
	if m := syncStates.FindSubmatch(answer); m != nil {
		p.replace["state"] = string(m[1])
	}
	if m := watermarks.FindSubmatch(answer); m != nil {
		p.replace["watermark"] = string(m[1])
	}
	if m := subscriptions.FindSubmatch(answer); m != nil && name == "Subscribe" {
		p.subs = append(p.subs, string(m[1]))
	}
	if name == "Unsubscribe" {
		p.subs = p.subs[:len(p.subs)-1]
	}
	if name != "FindItem" && name != "CreateItem" && name != "UpdateItem" {
		return
	}
	for _, m := range itemIDs.FindAllSubmatch(answer, -1) {
		if id := string(m[1]); !p.seen[id] && name == "FindItem" {
			p.seen[id] = true
			p.ours = append(p.ours, string(m[0]))
		}
	}
}

func TestRealClientIsServedFromFirstRequestToLast(t *testing.T) {
	t.Parallel()
	dir := shared(t, "captures", "exchangelib")
	v := newValidator(t)
	sim, url := newSim(t, exchangesim.Options{})
	sim.Faults().TouchAfterWrite(false) // the recording carries keys from reads before
	files, err := filepath.Glob(filepath.Join(dir, "exchangelib-basic-*.req.xml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("captures: %v, %v", files, err)
	}
	p := &player{items: map[string]string{}, seen: map[string]bool{}, replace: map[string]string{}}
	refused := map[string][]string{}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file)[len("exchangelib-basic-"):], ".req.xml")
		status, answer := post(t, url, `EXAMPLE\alice`, p.prepare(body))
		if status != http.StatusOK {
			t.Errorf("%s: status %d: %s", name, status, answer)
		}
		p.learn(name[4:], answer)
		v.add(t, name, answer)
		for _, m := range errorCodes.FindAllSubmatch(answer, -1) {
			refused[name] = append(refused[name], string(m[1]))
		}
	}
	want := map[string][]string{
		"001-ConvertId": {"ErrorInvalidIdMalformed"},                            // the client only wants to see the server's version
		"027-GetFolder": slices.Repeat([]string{"ErrorFolderNotFound"}, 8),      // an archive and other folders that this mailbox lacks
		"029-GetFolder": slices.Repeat([]string{"ErrorInvalidIdMalformed"}, 10), // ids of the recording
	}
	for name, codes := range refused {
		if !slices.Equal(codes, want[name]) {
			t.Errorf("%s was refused: %v", name, codes)
		}
	}
	v.check(t)
}

func TestUnknownVersionIsRefusedWithServerVersion(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile(shared(t, "captures", "exchangelib", "exchangelib-basic-002-GetFolder.req.xml"))
	if err != nil {
		t.Fatal(err)
	}
	_, url := newSim(t, exchangesim.Options{})
	status, answer := post(t, url, `EXAMPLE\alice`, body)
	if status != http.StatusInternalServerError || !bytes.Contains(answer, []byte("ErrorInvalidServerVersion")) {
		t.Errorf("status %d, answer %s", status, answer)
	}
	if !bytes.Contains(answer, []byte(`<t:ServerVersionInfo MajorVersion="15" MinorVersion="2"`)) {
		t.Errorf("the fault lacks the server's version: %s", answer)
	}
}

package exchangesim

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// sharedFolder is beside the repository; tests that need what it holds are skipped where it is absent.
func sharedFolder(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("SKIPPED: %s is not there, so nothing here was checked: %v", dir, err)
	}
	return dir
}

// soapClient sends requests as one user, without a network.
type soapClient struct {
	sim            *Server
	user, password string
}

func newSoapClient(t *testing.T) soapClient {
	t.Helper()
	sim, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	return soapClient{sim, `EXAMPLE\alice`, "secret"}
}

// post returns status and body of the answer to an envelope.
func (c soapClient) post(t *testing.T, envelope string) (int, []byte) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/ews/exchange.asmx", strings.NewReader(envelope))
	r.SetBasicAuth(c.user, c.password)
	w := httptest.NewRecorder()
	c.sim.ServeHTTP(w, r)
	if got := w.Header().Get("Content-Type"); got != "text/xml; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	return w.Code, w.Body.Bytes()
}

// ask sends one operation and returns the element in the answer's body.
func (c soapClient) ask(t *testing.T, operation string) *node {
	t.Helper()
	_, body := c.post(t, soapEnvelope(operation))
	root, err := parseXML(body)
	if err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return root.child("Body").kids[0]
}

// soapEnvelope wraps an operation with the header that the product sends.
func soapEnvelope(operation string) string {
	return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/></s:Header><s:Body>` + operation + `</s:Body></s:Envelope>`
}

// codes lists the response codes of an answer in order.
func codes(n *node) []string {
	var found []string
	n.walk(func(k *node) {
		if k.name == "ResponseCode" {
			found = append(found, k.value())
		}
	})
	return found
}

func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, k := range n.kids {
		k.walk(visit)
	}
}

// validate checks answers, by name, against the schema.
func validate(t *testing.T, answers map[string][]byte) {
	t.Helper()
	schema := filepath.Join(sharedFolder(t, "ews-schema"), "ews-all.xsd")
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Skipf("SKIPPED: no xmllint (Debian's libxml2-utils), so no answer was validated: %v", err)
	}
	dir := t.TempDir()
	args := []string{"--noout", "--nonet", "--schema", schema}
	for name, body := range answers {
		path := filepath.Join(dir, name+".xml")
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	out, err := exec.CommandContext(t.Context(), "xmllint", args...).CombinedOutput()
	if err == nil {
		return
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "error") {
			t.Error(strings.TrimSpace(strings.ReplaceAll(line, dir, "")))
		}
	}
}

// A replayer sends recorded requests with the ids that this server gave instead of the recorded ones.
type replayer struct {
	soapClient
	ids map[string]string
}

// learn pairs what the recorded answer and ours call the same thing.
func (r *replayer) learn(recorded, ours *node) {
	theirs, mine := identities(recorded), identities(ours)
	for kind, values := range theirs {
		for i, value := range values {
			if _, known := r.ids[value]; !known && value != "" && i < len(mine[kind]) {
				r.ids[value] = mine[kind][i]
			}
		}
	}
}

// identities lists ids, change keys and states in a document, by where they stand.
func identities(n *node) map[string][]string {
	found := map[string][]string{}
	n.walk(func(k *node) {
		switch k.name {
		case "ItemId", "FolderId":
			found[k.name] = append(found[k.name], k.attr("Id"))
			found[k.name+" key"] = append(found[k.name+" key"], k.attr("ChangeKey"))
		case "SyncState", "SubscriptionId", "Watermark":
			found[k.name] = append(found[k.name], k.value())
		}
	})
	return found
}

// translate replaces recorded ids, and the version that the client starts with by the one it steps down to.
func (r *replayer) translate(request []byte) string {
	text := strings.ReplaceAll(string(request), `Version="Exchange2019"`, `Version="Exchange2016"`)
	recorded := make([]string, 0, len(r.ids))
	for id := range r.ids {
		recorded = append(recorded, id)
	}
	slices.SortFunc(recorded, func(a, b string) int { return len(b) - len(a) }) // one may begin with another
	for _, id := range recorded {
		text = strings.ReplaceAll(text, `"`+id+`"`, `"`+r.ids[id]+`"`)
		text = strings.ReplaceAll(text, ">"+id+"<", ">"+r.ids[id]+"<")
	}
	return text
}

// TestSessionWithARealServerGoesTheSameWayHere replays a client's session for which a real server's answers are known.
func TestSessionWithARealServerGoesTheSameWayHere(t *testing.T) {
	t.Parallel()
	dir := sharedFolder(t, "captures/gromox")
	requests, err := filepath.Glob(filepath.Join(dir, "*.req.xml"))
	if err != nil || len(requests) == 0 {
		t.Fatalf("no requests in %s: %v", dir, err)
	}
	r := &replayer{newSoapClient(t), map[string]string{}}
	if _, err := r.sim.Outlook("alice@example.com").Create(Appointment{Subject: "older", Start: time.Now(), End: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err) // that calendar held one item already
	}
	answers := map[string][]byte{}
	for _, path := range requests {
		name := strings.TrimSuffix(filepath.Base(path), ".req.xml")
		request, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		recorded, err := os.ReadFile(strings.TrimSuffix(path, ".req.xml") + ".res.xml")
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := parseXML(recorded)
		if err != nil {
			t.Fatal(err)
		}
		code, body := r.post(t, r.translate(request))
		answers[name] = body
		ours, err := parseXML(body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if ours.child("Header", "ServerVersionInfo") == nil {
			t.Errorf("%s: no ServerVersionInfo", name)
		}
		if fault := ours.child("Body", "Fault"); fault != nil || code != http.StatusOK {
			t.Errorf("%s: %d %s", name, code, fault.child("faultstring").value())
			continue
		}
		compareClasses(t, name, theirs, ours)
		r.learn(theirs, ours)
	}
	validate(t, answers)
}

// agreedDifferences are the codes that this server answers where the recorded one succeeded, with the reason.
var agreedDifferences = map[string]string{
	"exchangelib-gromox-023-SyncFolderItems": "ErrorInvalidSyncStateData", // a garbage state, which that server lets pass against the documentation
	"exchangelib-gromox-027-GetFolder":       "ErrorInvalidIdMalformed",   // that mailbox has more folders than one has here
}

// compareClasses checks that what succeeded there succeeds here.
func compareClasses(t *testing.T, name string, theirs, ours *node) {
	t.Helper()
	there, here := theirs.messages(), ours.messages()
	if len(there) > 0 && len(here) != len(there) {
		t.Errorf("%s: %d response messages, want %d", name, len(here), len(there))
		return
	}
	for i := range there {
		code := here[i].child("ResponseCode").value()
		if there[i].attr("ResponseClass") == "Success" && code != "NoError" && code != agreedDifferences[name] {
			t.Errorf("%s: message %d is %s (%s), a real server succeeded", name, i, code, here[i].child("MessageText").value())
		}
	}
}

// messages are the response messages of an envelope.
func (n *node) messages() []*node {
	var found []*node
	n.walk(func(k *node) {
		if _, ok := k.lookAttr("ResponseClass"); ok {
			found = append(found, k)
		}
	})
	return found
}

// TestEveryRecordedRequestIsAnswered replays requests whose ids mean nothing here: each gets an answer by the schema, and a
// fault only where the version is unknown.
func TestEveryRecordedRequestIsAnswered(t *testing.T) {
	t.Parallel()
	requests, err := filepath.Glob(filepath.Join(sharedFolder(t, "captures/exchangelib"), "*.req.xml"))
	if err != nil || len(requests) == 0 {
		t.Fatalf("no requests: %v", err)
	}
	c := newSoapClient(t)
	answers := map[string][]byte{}
	for _, path := range requests {
		name := strings.TrimSuffix(filepath.Base(path), ".req.xml")
		request, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c.user = `EXAMPLE\alice`
		if bytes.Contains(request, []byte("ExchangeImpersonation")) {
			c.user = `EXAMPLE\svc-rooms`
		}
		for _, version := range []string{"as it is", "Exchange2016"} {
			sent := request
			if version != "as it is" {
				sent = bytes.ReplaceAll(request, []byte(`"Exchange2019"`), []byte(`"Exchange2016"`))
				sent = bytes.ReplaceAll(sent, []byte(`"Exchange2015_SP1"`), []byte(`"Exchange2016"`))
			}
			unknown := bytes.Contains(sent, []byte(`"Exchange2019"`)) || bytes.Contains(sent, []byte(`"Exchange2015_SP1"`))
			code, body := c.post(t, string(sent))
			answers[fmt.Sprintf("%s-%s", name, strings.ReplaceAll(version, " ", "_"))] = body
			root, err := parseXML(body)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			fault := root.child("Body", "Fault")
			switch {
			case root.child("Header", "ServerVersionInfo") == nil:
				t.Errorf("%s: no ServerVersionInfo", name)
			case unknown && fault.child("detail", "ResponseCode").value() != "ErrorInvalidServerVersion":
				t.Errorf("%s: an unknown version got %d %s", name, code, body)
			case !unknown && fault != nil:
				t.Errorf("%s: %d %s", name, code, fault.child("faultstring").value())
			}
		}
	}
	validate(t, answers)
}

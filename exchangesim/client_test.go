package exchangesim

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// A testClient speaks EWS as one user.
type testClient struct {
	t      *testing.T
	url    string
	user   string
	header string // SOAP header elements
	http   *http.Client
	fields http.Header // of every request
	answer http.Header // of the last answer
}

// serve starts a stand-in whose clock stands still, and returns a client for alice.
func serve(t *testing.T, o Options) (*Server, *testClient) {
	t.Helper()
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewUnstartedServer(s)
	ts.Config = s.HTTPServer()
	ts.Start()
	t.Cleanup(func() {
		ts.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, &testClient{t: t, url: ts.URL, user: `EXAMPLE\alice`, http: ts.Client()}
}

func (c *testClient) as(user string) *testClient {
	made := *c
	made.user = user
	return &made
}

// impersonating is the service user acting as somebody, named by one kind of identity.
func (c *testClient) impersonating(kind, value string) *testClient {
	made := c.as(`EXAMPLE\svc-rooms`)
	made.header = `<t:ExchangeImpersonation><t:ConnectingSID><t:` + kind + `>` + value + `</t:` + kind + `></t:ConnectingSID></t:ExchangeImpersonation>`
	return made
}

const testEnvelope = `<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"><s:Header><t:RequestServerVersion Version="Exchange2013_SP1"/>HEADER</s:Header><s:Body>BODY</s:Body></s:Envelope>`

// post posts a body.
func (c *testClient) post(ctx context.Context, body string) (*http.Response, error) {
	c.t.Helper()
	text := strings.NewReplacer("HEADER", c.header, "BODY", body).Replace(testEnvelope)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/EWS/Exchange.asmx", strings.NewReader(text))
	if err != nil {
		c.t.Fatal(err)
	}
	for name := range c.fields {
		req.Header.Set(name, c.fields.Get(name))
	}
	if c.user != "" {
		req.SetBasicAuth(c.user, "secret")
	}
	return c.http.Do(req)
}

// send posts a body and returns the status and the parsed answer; an error means that the connection was cut.
func (c *testClient) send(ctx context.Context, body string) (int, *node, error) {
	c.t.Helper()
	resp, err := c.post(ctx, body)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	c.answer = resp.Header
	answer, err := io.ReadAll(resp.Body)
	if err != nil || len(answer) == 0 || resp.StatusCode == http.StatusUnauthorized {
		return resp.StatusCode, nil, err
	}
	root, err := parseXML(answer)
	if err != nil {
		c.t.Fatalf("answer %s: %v", answer, err)
	}
	return resp.StatusCode, root, nil
}

// call carries out an operation and returns its response messages; a fault comes as one message with its code.
func (c *testClient) call(body string) []*node {
	c.t.Helper()
	_, root, err := c.send(c.t.Context(), body)
	if err != nil || root == nil {
		c.t.Fatalf("%s: %v, %v", body, root, err)
	}
	if fault := root.child("Body", "Fault"); fault != nil {
		return []*node{{name: "Fault", kids: fault.child("detail").children()}}
	}
	answer := root.child("Body").kids[0]
	return answer.child("ResponseMessages").children()
}

// one is call for an operation with one response message.
func (c *testClient) one(body string) *node {
	c.t.Helper()
	messages := c.call(body)
	if len(messages) != 1 {
		c.t.Fatalf("%d response messages, want 1", len(messages))
	}
	return messages[0]
}

// code is the response code of an operation with one response message.
func (c *testClient) code(body string) string {
	c.t.Helper()
	return c.one(body).child("ResponseCode").value()
}

// must is one for an operation that has to succeed.
func (c *testClient) must(body string) *node {
	c.t.Helper()
	n := c.one(body)
	if code := n.child("ResponseCode").value(); code != "NoError" {
		c.t.Fatalf("%s: %s %s", body, code, n.child("MessageText").value())
	}
	return n
}

const calendarFolder = `<t:DistinguishedFolderId Id="calendar"/>`

func (c *testClient) create(inner string) (id, key string) {
	c.t.Helper()
	n := c.must(createItem(inner)).child("Items", "CalendarItem", "ItemId")
	return n.attr("Id"), n.attr("ChangeKey")
}

func createItem(inner string) string {
	return `<m:CreateItem SendMeetingInvitations="SendToNone"><m:SavedItemFolderId>` + calendarFolder + `</m:SavedItemFolderId><m:Items><t:CalendarItem>` + inner + `</t:CalendarItem></m:Items></m:CreateItem>`
}

func getItem(id string, fields ...string) string {
	var b bytes.Buffer
	for _, f := range fields {
		b.WriteString(`<t:FieldURI FieldURI="` + f + `"/>`)
	}
	return `<m:GetItem><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:BodyType>Text</t:BodyType><t:AdditionalProperties><t:FieldURI FieldURI="item:Subject"/>` + b.String() + `</t:AdditionalProperties></m:ItemShape><m:ItemIds>` + id + `</m:ItemIds></m:GetItem>`
}

func itemID(id, key string) string {
	if key == "" {
		return `<t:ItemId Id="` + id + `"/>`
	}
	return `<t:ItemId Id="` + id + `" ChangeKey="` + key + `"/>`
}

func setField(uri, inner string) string {
	return `<t:SetItemField><t:FieldURI FieldURI="` + uri + `"/><t:CalendarItem>` + inner + `</t:CalendarItem></t:SetItemField>`
}

func updateItem(resolution, id, updates string) string {
	return `<m:UpdateItem ConflictResolution="` + resolution + `" SendMeetingInvitationsOrCancellations="SendToNone"><m:ItemChanges><t:ItemChange>` + id + `<t:Updates>` + updates + `</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`
}

func deleteItem(kind, id string) string {
	return `<m:DeleteItem DeleteType="` + kind + `" SendMeetingCancellations="SendToNone"><m:ItemIds>` + id + `</m:ItemIds></m:DeleteItem>`
}

// sync asks for one page of changes to the calendar.
func (c *testClient) sync(state string, limit string) (changes []*node, next string, done bool) {
	c.t.Helper()
	if state != "" {
		state = "<m:SyncState>" + state + "</m:SyncState>"
	}
	n := c.must(`<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId>` + calendarFolder + `</m:SyncFolderId>` + state + `<m:MaxChangesReturned>` + limit + `</m:MaxChangesReturned></m:SyncFolderItems>`)
	return n.child("Changes").children(), n.child("SyncState").value(), n.child("IncludesLastItemInRange").value() == "true"
}

func at(hour int) time.Time { return time.Date(2026, 12, 1, hour, 0, 0, 0, time.UTC) }

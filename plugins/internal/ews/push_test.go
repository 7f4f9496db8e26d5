package ews

import (
	"os"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/sdk/fault"
)

func notification(messages string) []byte {
	return []byte(soapHead + `<m:SendNotification xmlns:m="` + nsMessages + `" xmlns:t="` + nsTypes + `"><m:ResponseMessages>` +
		messages + `</m:ResponseMessages></m:SendNotification></s:Body></s:Envelope>`)
}

func TestNotificationSamplesDecode(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]Notification{
		"resp-send-notification.xml":        {Subscription: "LABk", Events: 2, Watermark: "AQAAAC=="},
		"resp-send-notification-status.xml": {Subscription: "LABk", Watermark: "AQAAAA=="},
	} {
		doc, err := os.ReadFile(shared(t, "ews-samples", file))
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeNotification(doc)
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %+v, %v; want %+v", file, got, err, want)
		}
	}
}

func TestNotificationOfSeveralMessages(t *testing.T) {
	t.Parallel()
	got, err := DecodeNotification(notification(
		`<m:SendNotificationResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:Notification>
			<t:SubscriptionId>a</t:SubscriptionId><t:MoreEvents>true</t:MoreEvents>
			<t:ModifiedEvent><t:FolderId Id="f"/></t:ModifiedEvent></m:Notification></m:SendNotificationResponseMessage>
		<m:SendNotificationResponseMessage ResponseClass="Error"><m:ResponseCode>ErrorReadEventsFailed</m:ResponseCode>
			<m:Notification><t:SubscriptionId>b</t:SubscriptionId></m:Notification></m:SendNotificationResponseMessage>
		<m:SendNotificationResponseMessage ResponseClass="Warning"><m:ResponseCode>ErrorMissedNotificationEvents</m:ResponseCode>
			</m:SendNotificationResponseMessage>`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Notification{
		{Subscription: "a", Events: 1, More: true},
		{Subscription: "b", Lost: true, Code: "ErrorReadEventsFailed"},
		{Lost: true, Code: "ErrorMissedNotificationEvents"},
	}
	if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("read %+v, want %+v", got, want)
	}
}

func TestWhatIsNoNotificationIsInvalid(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"empty": "", "text": "hello", "JSON": `{"value":[]}`, "other SOAP": soapHead + `</s:Body></s:Envelope>`,
		"document type": `<!DOCTYPE x [<!ENTITY a "b">]>` + string(notification("")),
		"cut off":       string(notification(""))[:150],
		"too deep":      strings.Repeat("<a>", 1_000_000),
		"large":         strings.Repeat("x", 10<<20),
		"wrong place":   `<m:SendNotification xmlns:m="` + nsMessages + `"/>`,
	} {
		if got, err := DecodeNotification([]byte(body)); fault.Of(err) != fault.Invalid {
			t.Errorf("%s: %v, %v; want Invalid", name, got, err)
		}
	}
}

package exchangesim

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// BenchmarkPeople measures what people cost in memory, idle and with a push subscription each that has been told once.
// Run it with -benchtime=1x.
func BenchmarkPeople(b *testing.B) {
	for _, people := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(people), func(b *testing.B) {
			for b.Loop() {
				empty := heapInUse()
				began := time.Now()
				s, err := New(Options{Generate: people, PushClient: &http.Client{Transport: accepting{}}})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(time.Since(began).Seconds(), "s/start")
				idle := heapInUse()
				began = time.Now()
				subscribeEach(b, s, people)
				if err := s.WaitIdle(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(time.Since(began).Seconds(), "s/subscribe")
				subscribed := heapInUse()
				b.ReportMetric(float64(idle-empty)/float64(people), "B/person")
				b.ReportMetric(float64(subscribed-empty)/float64(people), "B/subscribed")
				b.ReportMetric(float64(subscribed)/(1<<20), "MiB")
				b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
				_ = s.Close()
			}
		})
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// subscribeEach subscribes to the calendar of everybody, as the service user.
func subscribeEach(tb testing.TB, s *Server, people int) {
	service := s.users[`example\svc-rooms`]
	for i := range people {
		request := strings.NewReplacer(
			"HEADER", fmt.Sprintf(`<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>user%d@example.com</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>`, i+1),
			"BODY", pushRequest(fmt.Sprintf("http://hub.example.com/WebServices/SyncNotification.svc?Default&amp;k=%043d", i), 30),
		).Replace(testEnvelope)
		c, err := s.parse(service, []byte(request))
		if err != nil {
			tb.Fatal(err)
		}
		if status, reply := s.handle(tb.Context(), c, nil); status != http.StatusOK || !strings.Contains(string(reply), `"Success"`) {
			tb.Fatalf("Subscribe: %s", reply)
		}
	}
}

// accepting is a hub that accepts every notification.
type accepting struct{}

// RoundTrip implements http.RoundTripper.
func (accepting) RoundTrip(r *http.Request) (*http.Response, error) {
	_ = r.Body.Close()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: newBody(okReply), Request: r}, nil
}

// BenchmarkFirstSync measures what the stand-in itself takes when a client reads a calendar of 10,000 appointments: pages of
// 512 with a named property, then all of them by tens.
func BenchmarkFirstSync(b *testing.B) {
	s, err := New(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	ids, err := s.Outlook("alice@example.com").CreateMany(Many{Count: 10_000})
	if err != nil {
		b.Fatal(err)
	}
	run := func(body string) []byte {
		c, err := s.parse(s.users["alice@example.com"], []byte(strings.NewReplacer("HEADER", "", "BODY", body).Replace(testEnvelope)))
		if err != nil {
			b.Fatal(err)
		}
		status, reply := s.handle(b.Context(), c, nil)
		if status != http.StatusOK {
			b.Fatalf("%s", reply)
		}
		return reply
	}
	const stateTag, doneText = "m:SyncState>", "<m:IncludesLastItemInRange>true<"
	b.Run("pages", func(b *testing.B) {
		for b.Loop() {
			state := ""
			for {
				reply := string(run(`<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="AppointmentOid" PropertyType="String"/></t:AdditionalProperties></m:ItemShape><m:SyncFolderId>` + calendarFolder + `</m:SyncFolderId>` + state + `<m:MaxChangesReturned>512</m:MaxChangesReturned></m:SyncFolderItems>`))
				if strings.Contains(reply, doneText) {
					break
				}
				state = "<" + reply[strings.Index(reply, stateTag):strings.LastIndex(reply, stateTag)] + stateTag
			}
		}
	})
	b.Run("items", func(b *testing.B) {
		for b.Loop() {
			for i := 0; i < len(ids); i += 10 {
				var batch strings.Builder
				for _, id := range ids[i : i+10] {
					batch.WriteString(itemID(id, ""))
				}
				run(`<m:GetItem><m:ItemShape><t:BaseShape>AllProperties</t:BaseShape></m:ItemShape><m:ItemIds>` + batch.String() + `</m:ItemIds></m:GetItem>`)
			}
		}
	})
}

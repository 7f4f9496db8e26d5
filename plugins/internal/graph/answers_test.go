package graph

import (
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
	"github.com/roomwire/roomwire/sdk/fault"
)

// mailWorld has rooms that answer, and an application with the given permissions besides that for calendars.
func mailWorld(t *testing.T, roles ...string) *world {
	t.Helper()
	tenant := exchangesim.SampleTenant()
	tenant.Apps[0].Roles = append(tenant.Apps[0].Roles, roles...)
	return newWorldOf(t, exchangesim.Options{CopyToAttendees: true, Tenants: []exchangesim.Tenant{tenant}}, Settings{})
}

func TestWhatARoomWrote(t *testing.T) {
	t.Parallel()
	w := mailWorld(t, "Mail.Read")
	const room = "room-a@example.com"
	w.call(t, exchangesim.Appointment{Subject: "Budget"})
	first := w.onlyItem(t)
	answer := func() string {
		t.Helper()
		text, err := w.Answer(t.Context(), w.alice, first, "Room-A@example.com")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	own := answer() // the room's attendant accepts, with a text of its own
	if err := w.sim.Outlook(room).Answer(w.meetingID(t), time.Time{}, "Tentative", "Perhaps."); err != nil {
		t.Fatal(err)
	}
	if got := answer(); got != "Perhaps." || got == own {
		t.Errorf("the answer is %q, before it %q", got, own)
	}
	// Another meeting is declined since: that is no answer to the first.
	w.call(t, exchangesim.Appointment{Subject: "Another", Start: soon(12, "09:00"), End: soon(12, "10:00")})
	other, _ := w.sim.Outlook(room).Find(func(a exchangesim.Appointment) bool {
		return strings.HasSuffix(a.Subject, "Another") || a.Start.Equal(soon(12, "09:00"))
	})
	if err := w.sim.Outlook(room).Answer(other.ID, time.Time{}, "Decline", "The painters are there."); err != nil {
		t.Fatal(err)
	}
	if got := answer(); got != "Perhaps." {
		t.Errorf("after another meeting was answered the answer is %q", got)
	}
	changes, _ := w.pull(t, "")
	for _, ch := range changes {
		if ch.Ref == first {
			continue
		}
		if text, err := w.Answer(t.Context(), w.alice, ch.Ref, room); err != nil || text != "The painters are there." {
			t.Errorf("the other meeting was answered with %q, %v", text, err)
		}
		if text, err := w.Answer(t.Context(), w.alice, ch.Ref, "o'hara@example.com"); err != nil || text != "" {
			t.Errorf("who has not answered wrote %q, %v", text, err)
		}
	}
	if _, err := w.Answer(t.Context(), w.alice, "AAMk", room); err == nil {
		t.Error("an item that there is not has an answer")
	}
}

func TestOneOccurrencesAnswerIsTheMeetings(t *testing.T) {
	t.Parallel()
	w := mailWorld(t, "Mail.Read")
	w.call(t, exchangesim.Appointment{
		Subject: "Weekly", TimeZone: "UTC",
		Recurrence: &exchangesim.Recurrence{Pattern: "Weekly", Interval: 1, Days: []string{soon(10, "09:00").Weekday().String()}, Start: soon(10, "09:00").Format("2006-01-02"), Count: 4},
	})
	if err := w.sim.Outlook("room-a@example.com").Answer(w.meetingID(t), soon(17, "09:00"), "Decline", "Taken that day."); err != nil {
		t.Fatal(err)
	}
	if text, err := w.Answer(t.Context(), w.alice, w.onlyItem(t), "room-a@example.com"); err != nil || text != "Taken that day." {
		t.Errorf("the answer is %q, %v", text, err)
	}
}

// The calendars' permission is enough for everything else, so its lack is said to be that of this one.
func TestAnswersNeedTheirOwnPermission(t *testing.T) {
	t.Parallel()
	w := mailWorld(t)
	w.call(t, exchangesim.Appointment{Subject: "Budget"})
	_, err := w.Answer(t.Context(), w.alice, w.onlyItem(t), "room-a@example.com")
	if fault.Of(err) != fault.Forbidden || !strings.Contains(err.Error(), "permission Mail.Read") || strings.Contains(err.Error(), "Calendars.ReadWrite") {
		t.Errorf("without the permission: %v", err)
	}
}

func TestPartOfAnAnswerTellsNothing(t *testing.T) {
	t.Parallel()
	w := mailWorld(t, "Mail.Read")
	w.call(t, exchangesim.Appointment{Subject: "Budget"})
	ref := w.onlyItem(t)
	w.line.twisted(func(r *http.Request) (*http.Response, error) {
		if !strings.Contains(r.URL.Path, "/messages") {
			return nil, nil
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{}`)), Request: r}, nil
	})
	if _, err := w.Answer(t.Context(), w.alice, ref, "room-a@example.com"); fault.Of(err) != fault.Unavailable {
		t.Errorf("an answer without a list: %v, want Unavailable", err)
	}
}

func TestMeetingsAreKnownByTheirIDs(t *testing.T) {
	t.Parallel()
	const uid = "040000008200E00074C5B7101A82E00800000000B0C4D0B1E8A1D9010000000000000000100000002DB5F0A2A3B4C5D6E7F8091A2B3C4D5E"
	raw, err := hex.DecodeString(uid)
	if err != nil {
		t.Fatal(err)
	}
	dated := append([]byte{}, raw...)
	copy(dated[16:], []byte{0x07, 0xea, 12, 1})
	foreign, _ := base64.StdEncoding.DecodeString("BAAAAIIA4AB0xbcQGoLgCAAAAAAAAAAAAAAAAAAAAAAAAAAAEgAAAHZDYWwtVWlkAQAAAHUtMUBhAA==")
	for name, tc := range map[string]struct {
		id   []byte
		uid  string
		want bool
	}{
		"of Exchange":         {raw, uid, true},
		"in small letters":    {raw, strings.ToLower(uid), true},
		"of an occurrence":    {dated, uid, true},
		"the item's is dated": {raw, strings.ToUpper(hex.EncodeToString(dated)), true},
		"another":             {raw, uid[:len(uid)-2] + "00", false},
		"of another program":  {foreign, "u-1@a", true},
		"another one of it":   {foreign, "u-2@a", false},
		"no id":               {nil, uid, false},
		"no UID":              {raw, "", false},
	} {
		if got := isMeeting(tc.id, tc.uid); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

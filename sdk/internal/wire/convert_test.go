package wire

import (
	"reflect"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	roomwirev1 "github.com/roomwire/roomwire/proto/roomwire/v1"
	"github.com/roomwire/roomwire/sdk/auth"
	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
)

func times() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero") {
			return time.Time{}
		}
		return time.Unix(rapid.Int64Range(-1<<33, 1<<34).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	})
}

func addresses() *rapid.Generator[calendar.Address] {
	return rapid.Custom(func(t *rapid.T) calendar.Address {
		return calendar.Address{Name: rapid.String().Draw(t, "name"), Email: rapid.String().Draw(t, "email")}
	})
}

func events() *rapid.Generator[calendar.Event] {
	return rapid.Custom(func(t *rapid.T) calendar.Event {
		text := rapid.String()
		e := calendar.Event{
			UID: text.Draw(t, "uid"), Subject: text.Draw(t, "subject"), Body: text.Draw(t, "body"), Location: text.Draw(t, "location"),
			Start: times().Draw(t, "start"), End: times().Draw(t, "end"), AllDay: rapid.Bool().Draw(t, "all day"), Zone: text.Draw(t, "zone"),
			Busy:      calendar.Busy(rapid.IntRange(0, int(calendar.WorkingElsewhere)).Draw(t, "busy")),
			Class:     calendar.Class(rapid.IntRange(0, int(calendar.Confidential)).Draw(t, "class")),
			Organizer: addresses().Draw(t, "organizer"), Cancelled: rapid.Bool().Draw(t, "cancelled"), Recurrence: text.Draw(t, "rule"),
		}
		if rapid.Bool().Draw(t, "reminds") {
			e.Reminder = &calendar.Reminder{Before: time.Duration(rapid.IntRange(0, 40320).Draw(t, "minutes")) * time.Minute}
		}
		for range rapid.IntRange(0, 3).Draw(t, "attendees") {
			e.Attendees = append(e.Attendees, calendar.Attendee{
				Address: addresses().Draw(t, "attendee"), Role: calendar.Role(rapid.IntRange(0, int(calendar.Resource)).Draw(t, "role")),
				Response: calendar.Response(rapid.IntRange(0, int(calendar.Declined)).Draw(t, "response")),
			})
		}
		for range rapid.IntRange(0, 2).Draw(t, "exceptions") {
			x := calendar.OccurrenceException{Occurrence: times().Draw(t, "occurrence")}
			if rapid.Bool().Draw(t, "changed") {
				x.Event = &calendar.Event{Subject: text.Draw(t, "exception"), Start: times().Draw(t, "moved to")}
			}
			e.Exceptions = append(e.Exceptions, x)
		}
		return e
	})
}

// opaque is any string of bytes, valid as text or not.
func opaque(t *rapid.T, label string) string {
	return string(rapid.SliceOf(rapid.Byte()).Draw(t, label))
}

func items() *rapid.Generator[calendar.Item] {
	return rapid.Custom(func(t *rapid.T) calendar.Item {
		return calendar.Item{
			Ref: calendar.Ref(opaque(t, "ref")), Revision: opaque(t, "revision"),
			Kind: calendar.Kind(rapid.IntRange(0, int(calendar.Exception)).Draw(t, "kind")),
			Key:  rapid.String().Draw(t, "key"), ForeignKey: rapid.String().Draw(t, "foreign key"),
			ReadOnly: rapid.Bool().Draw(t, "read-only"),
			Response: calendar.Response(rapid.IntRange(0, int(calendar.Declined)).Draw(t, "own response")),
			Modified: times().Draw(t, "modified"), Event: events().Draw(t, "event"),
			Omits: calendar.Fields(rapid.Uint32().Draw(t, "omits")) & calendar.AllFields &^ calendar.FieldTime,
		}
	})
}

// across sends a message over the wire.
func across[M proto.Message](t *rapid.T, m, into M) M {
	raw, err := proto.Marshal(m)
	if err == nil {
		err = proto.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatal(err)
	}
	return into
}

func TestAPageIsTheSameOnBothEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := backend.Page{
			Next: backend.Cursor(opaque(t, "next")), Full: rapid.Bool().Draw(t, "full"), Last: rapid.Bool().Draw(t, "last"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			c := backend.Change{Ref: backend.Ref(opaque(t, "ref")), Deleted: rapid.Bool().Draw(t, "deleted")}
			if rapid.Bool().Draw(t, "with item") {
				i := items().Draw(t, "item")
				c.Item = &i
			}
			want.Changes = append(want.Changes, c)
		}
		if got := pageFromProto(across(t, pageToProto(want), &roomwirev1.Page{})); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestAMutationIsTheSameOnBothEnds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := calendar.Mutation{
			Op:      calendar.Op(rapid.IntRange(1, int(calendar.Delete)).Draw(t, "op")),
			Mailbox: calendar.Mailbox{Address: rapid.String().Draw(t, "address"), URL: rapid.String().Draw(t, "url")},
			Key:     rapid.String().Draw(t, "key"), ForeignKey: rapid.String().Draw(t, "foreign key"),
			Ref: calendar.Ref(opaque(t, "ref")), IfRevision: opaque(t, "revision"), Event: events().Draw(t, "event"),
			Fields: calendar.Fields(rapid.Uint32().Draw(t, "fields")) & calendar.AllFields,
			First:  rapid.Bool().Draw(t, "first"), Remark: rapid.Bool().Draw(t, "remark"),
			Mail: calendar.Mail(rapid.IntRange(0, int(calendar.MailConcerned)).Draw(t, "mail")),
		}
		if rapid.Bool().Draw(t, "is known") {
			known := events().Draw(t, "known")
			want.Known = &known
		}
		if n := rapid.IntRange(0, 2).Draw(t, "rooms"); n > 0 {
			want.Rooms = rapid.SliceOfN(rapid.String(), n, n).Draw(t, "addresses of rooms")
		}
		if got := mutationFromProto(across(t, mutationToProto(want), &roomwirev1.Mutation{})); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestTextThatIsNoUTF8DoesNotLoseTheMessage(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bad := opaque(t, "text")
		e := calendar.Event{
			UID: bad, Subject: bad, Body: bad, Location: bad, Zone: bad, Recurrence: bad, Organizer: calendar.Address{Name: bad, Email: bad},
			Attendees: []calendar.Attendee{{Address: calendar.Address{Name: bad, Email: bad}}},
		}
		got := eventFromProto(across(t, eventToProto(e), &roomwirev1.Event{}))
		if !utf8.ValidString(got.Subject) || utf8.ValidString(bad) && got.Subject != bad {
			t.Fatalf("subject %q became %q", bad, got.Subject)
		}
	})
}

func TestValuesOutsideAnEnumerationAreItsFirst(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int32().Draw(t, "n")
		e := eventFromProto(&roomwirev1.Event{
			Busy: roomwirev1.Busy(n), Class: roomwirev1.Class(n), Attendees: []*roomwirev1.Attendee{{Role: roomwirev1.Role(n), Response: roomwirev1.Response(n)}},
		})
		a := e.Attendees[0]
		if e.Busy < 0 || e.Busy > calendar.WorkingElsewhere || e.Class < 0 || e.Class > calendar.Confidential ||
			a.Role < 0 || a.Role > calendar.Resource || a.Response < 0 || a.Response > calendar.Declined {
			t.Fatalf("%d became %+v", n, e)
		}
	})
}

func TestATargetCrossesTheWire(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfN(rapid.Byte(), 1, 64)
		want := auth.Target{
			Origin: rapid.String().Draw(t, "origin"), Mailbox: rapid.String().Draw(t, "mailbox"), ChannelBinding: some.Draw(t, "binding"),
			Retry: rapid.IntRange(0, 9).Draw(t, "retry"), Refused: some.Draw(t, "refused"),
		}
		if got := targetFromProto(across(t, targetToProto(want), &roomwirev1.Target{})); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

package exchangesim

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestFirstSyncIsNewestFirstAndPaged(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	var ids []string
	for i := range 5 {
		id, err := s.Outlook("alice@example.com").Create(Appointment{Subject: strconv.Itoa(i), Start: at(9), End: at(10)})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	var got []string
	state, done := "", false
	for range 10 {
		var changes []*node
		if changes, state, done = c.sync(state, "2"); done {
			for _, n := range changes {
				got = append(got, n.child("CalendarItem", "ItemId").attr("Id"))
			}
			break
		}
		for _, n := range changes {
			got = append(got, n.child("CalendarItem", "ItemId").attr("Id"))
		}
	}
	slices.Reverse(ids)
	if !slices.Equal(got, ids) {
		t.Errorf("first sync = %v, want %v", got, ids)
	}
	if changes, _, done := c.sync(state, "512"); len(changes) != 0 || !done {
		t.Errorf("nothing changed, yet %v", changes)
	}
}

func TestSyncStatesAreValidated(t *testing.T) {
	t.Parallel()
	s, c := serve(t, Options{})
	_, state, _ := c.sync("", "512")
	request := func(state string) string {
		return `<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape><m:SyncFolderId>` + calendarFolder + `</m:SyncFolderId><m:SyncState>` + state + `</m:SyncState><m:MaxChangesReturned>10</m:MaxChangesReturned></m:SyncFolderItems>`
	}
	other, _ := serve(t, Options{})
	for name, bad := range map[string]string{
		"garbage": "UzA=", "no base64": "%", "another server's": other.seal(syncState{}), "cut off": state[:len(state)-4],
	} {
		if got := c.code(request(bad)); got != "ErrorInvalidSyncStateData" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := c.impersonating("PrimarySmtpAddress", "bob@example.com").code(request(state)); got != "ErrorInvalidSyncStateData" {
		t.Errorf("another mailbox's state: %s", got)
	}
	if got := c.code(request(state)); got != "NoError" {
		t.Errorf("its own state: %s", got)
	}
	s.Faults().InvalidSyncState("alice@example.com")
	if got := c.code(request(state)); got != "ErrorInvalidSyncStateData" {
		t.Errorf("after the fault: %s", got)
	}
}

// TestSyncConverges: however pages and changes interleave, a client that applies the changes ends with what is there.
func TestSyncConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s, err := New(Options{})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		o := s.Outlook("alice@example.com")
		known := map[string]string{} // id → subject
		state := ""
		page := func(limit int) bool {
			text := ""
			if state != "" {
				text = "<SyncState>" + state + "</SyncState>"
			}
			req, err := parseXML(fmt.Appendf(nil, `<SyncFolderItems><ItemShape><BaseShape>Default</BaseShape></ItemShape><SyncFolderId><DistinguishedFolderId Id="calendar"/></SyncFolderId>%s<MaxChangesReturned>%d</MaxChangesReturned></SyncFolderItems>`, text, limit))
			if err != nil {
				rt.Fatal(err)
			}
			var answer *node
			err = o.with(func(c *call, _ *mailbox) error {
				c.req = req
				answer, err = c.syncFolderItems()
				return err
			})
			if err != nil {
				rt.Fatal(err)
			}
			n := answer.child("ResponseMessages").kids[0]
			if len(n.child("Changes").kids) > limit {
				rt.Fatalf("%d changes, asked for %d", len(n.child("Changes").kids), limit)
			}
			for _, ch := range n.child("Changes").kids {
				id := ch.child("CalendarItem", "ItemId").attr("Id")
				_, had := known[id]
				switch ch.name {
				case "Delete":
					delete(known, ch.child("ItemId").attr("Id"))
				case "Update":
					if !had {
						rt.Fatalf("an update of %q, which was never told of", id)
					}
					known[id] = ch.child("CalendarItem", "Subject").value()
				default:
					known[id] = ch.child("CalendarItem", "Subject").value()
				}
			}
			state = n.child("SyncState").value()
			return n.child("IncludesLastItemInRange").value() == "true"
		}
		for i := range rapid.IntRange(1, 40).Draw(rt, "steps") {
			items := o.Items()
			action := rapid.IntRange(0, 5).Draw(rt, "action")
			if len(items) == 0 && action > 1 {
				action = 0
			}
			var err error
			switch pick := rapid.IntRange(0, max(len(items)-1, 0)).Draw(rt, "item"); action {
			case 0:
				_, err = o.Create(Appointment{Subject: "s" + strconv.Itoa(i), Start: at(9), End: at(10)})
			case 1:
				page(rapid.IntRange(1, 4).Draw(rt, "limit"))
			case 2:
				err = o.Update(items[pick].ID, func(a *Appointment) { a.Subject = "u" + strconv.Itoa(i) })
			case 3:
				err = o.Delete(items[pick].ID)
			case 4:
				err = o.HardDelete(items[pick].ID)
			case 5:
				if deleted := o.Deleted(); len(deleted) > 0 {
					_, err = o.Restore(deleted[0].ID)
				}
			}
			if err != nil {
				rt.Fatal(err)
			}
		}
		for n := 0; !page(3); n++ {
			if n > 200 {
				rt.Fatal("the pages do not end")
			}
		}
		want := map[string]string{}
		for _, a := range o.Items() {
			want[a.ID] = a.Subject
		}
		if fmt.Sprint(known) != fmt.Sprint(want) {
			rt.Fatalf("client has %v, calendar %v", known, want)
		}
	})
}

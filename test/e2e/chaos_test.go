package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roomwire/roomwire/exchangesim"
)

// chaosSeed can be set to look for trouble elsewhere than every time.
const chaosSeed = "ROOMWIRE_E2E_SEED"

// TestBothSidesAgreeWhateverDies has both sides edit, Exchange misbehave, and host and plugins die, in an order drawn
// by lot. In the end every booking that stands has exactly one item that says the same, and no other has any.
func TestBothSidesAgreeWhateverDies(t *testing.T) {
	t.Parallel()
	for n := range 2 {
		seed := uint64(n)
		if given, err := strconv.ParseUint(os.Getenv(chaosSeed), 10, 64); err == nil {
			seed += given
		}
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			c := chaos{site: newSite(t, setup{sync: map[string]string{"coalesce": `"50ms"`}}), r: rand.New(rand.NewPCG(seed, 7))}
			for range 80 {
				c.step()
			}
			c.sim.Faults().Reset()
			for _, p := range people { // notifications were lost
				c.must("sync", "now", p)
			}
			c.settle()
			c.agree()
			if t.Failed() {
				t.Logf("what happened:\n  %s", strings.Join(c.done, "\n  "))
			}
		})
	}
}

type chaos struct {
	*site
	r     *rand.Rand
	done  []string
	kills int
}

// chaosBookings is how many bookings there are, each with an organizer, a day and a desk of its own.
const chaosBookings = 10

func (c *chaos) organizer(n int) string { return people[n%len(people)] }

func id(n int) string { return fmt.Sprintf("c%d", n) }

// step does one thing.
func (c *chaos) step() {
	c.Helper()
	n := c.r.IntN(chaosBookings)
	switch what := c.r.IntN(20); {
	case what < 7:
		c.inTheWebApp(n)
	case what < 8:
		if status, p, err := c.call("DELETE", "/bookings/"+id(n), nil, nil); err != nil || status >= 300 && status != 404 {
			c.Fatalf("cancel %s: %d %+v %v", id(n), status, p, err)
		}
		c.note("%s is cancelled", id(n))
	case what < 14:
		c.inOutlook(n)
	case what < 15:
		if it, ok := c.item(n); ok {
			if err := c.sim.Outlook(address(c.organizer(n))).Delete(it.ID); err != nil && !errors.Is(err, exchangesim.ErrNoItem) {
				c.Fatal(err)
			}
			c.note("%s is deleted in Outlook", id(n))
		}
	case what < 18:
		c.misbehave()
	default:
		c.kill()
	}
}

func (c *chaos) note(format string, args ...any) {
	c.done = append(c.done, fmt.Sprintf(format, args...))
}

func (c *chaos) inTheWebApp(n int) {
	c.Helper()
	b := meeting(id(n), c.organizer(n), c.moment(n))
	b.Resources, b.Attendees = []string{desk(n)}, []attendee{{Email: address("zoe")}}
	b.Busy = c.pick("free", "tentative", "busy", "oof")
	b.Class = c.pick("public", "private", "confidential")
	c.put(b)
	c.note("%s is put: %s %s %s", b.ID, b.Start, b.Busy, b.Class)
}

func (c *chaos) inOutlook(n int) {
	c.Helper()
	it, ok := c.item(n)
	if !ok {
		return
	}
	err := c.sim.Outlook(address(c.organizer(n))).Update(it.ID, func(a *exchangesim.Appointment) {
		switch c.r.IntN(3) {
		case 0:
			a.BusyStatus = c.pick("Free", "Tentative", "Busy", "OOF")
		case 1:
			a.Sensitivity = c.pick("Normal", "Private", "Confidential")
		default:
			a.Start = c.moment(n)
			a.End = a.Start.Add(time.Hour)
		}
		c.note("%s is edited in Outlook: %s %s %s", id(n), a.Start, a.BusyStatus, a.Sensitivity)
	})
	if err != nil && !errors.Is(err, exchangesim.ErrNoItem) { // the host may just have deleted it
		c.Fatal(err)
	}
}

func (c *chaos) misbehave() {
	f := c.sim.Faults()
	person := address(people[c.r.IntN(len(people))])
	switch c.r.IntN(6) {
	case 0:
		op := c.pick("CreateItem", "UpdateItem", "DeleteItem")
		f.DropAfter(op, 1)
		c.note("an answer to %s will be lost", op)
	case 1:
		f.Busy(person, 1, 100*time.Millisecond)
		c.note("Exchange is busy for %s", person)
	case 2:
		f.LoseNotifications(2)
		c.note("two notifications will be lost")
	case 3:
		f.DuplicateNotifications(2)
		c.note("two notifications will be doubled")
	case 4:
		f.InvalidSyncState(person)
		c.note("the sync state of %s is invalid", person)
	default:
		f.Status(503, 1)
		c.note("one request will be answered with 503")
	}
}

// kill ends the host or, rarely enough for them to be started again soon, a plugin.
func (c *chaos) kill() {
	c.Helper()
	if c.kills++; c.kills%2 == 0 {
		name := c.pick("backend-exchange2013", "auth-ntlm")
		c.note("%s is killed", name)
		c.killPlugin(name)
		return
	}
	c.note("the host is killed")
	c.site.kill()
	c.serve()
}

func (c *chaos) moment(n int) time.Time { return day(n, 6+c.r.IntN(14)) }

func (c *chaos) pick(from ...string) string { return from[c.r.IntN(len(from))] }

// item returns the item of a booking, if there is one just now.
func (c *chaos) item(n int) (exchangesim.Appointment, bool) {
	return c.sim.Outlook(address(c.organizer(n))).Find(func(a exchangesim.Appointment) bool { return a.Properties[oid] == id(n) })
}

// agree compares both sides.
func (c *chaos) agree() {
	c.Helper()
	for n := range chaosBookings {
		var items []exchangesim.Appointment
		for _, p := range people {
			for _, a := range c.sim.Outlook(address(p)).Items() {
				if a.Properties[oid] == id(n) {
					items = append(items, a)
				}
			}
		}
		var b booking
		status, _, err := c.call("GET", "/bookings/"+id(n), nil, &b)
		if err != nil {
			c.Fatal(err)
		}
		standing := status == 200 && b.Status == "confirmed"
		switch {
		case standing && len(items) != 1, !standing && len(items) != 0:
			c.Errorf("%s is %q and has %d items: %+v", id(n), b.Status, len(items), items)
			continue
		case !standing:
			continue
		}
		it := items[0]
		busy := map[string]string{"free": "Free", "tentative": "Tentative", "busy": "Busy", "oof": "OOF"}[b.Busy]
		class := map[string]string{"public": "Normal", "private": "Private", "confidential": "Confidential"}[b.Class]
		if b.SyncDisabled || !it.Start.Equal(b.start(c.site)) || it.BusyStatus != busy || it.Sensitivity != class || it.Subject != b.Title {
			c.Errorf("%s: the booking says %+v,\nthe item %+v", id(n), b, it)
		}
		for i, h := range c.history(id(n)) {
			if !strings.HasPrefix(h, fmt.Sprint(i+1)+" ") {
				c.Errorf("%s: the feed skips or repeats a version: %q", id(n), c.history(id(n)))
				break
			}
		}
	}
}

package launch

import (
	"slices"
	"strings"
	"testing"

	"github.com/roomwire/roomwire/sdk/backend"
	"github.com/roomwire/roomwire/sdk/calendar"
	"github.com/roomwire/roomwire/sdk/fault"
)

// What is too much for one message goes as several: else a mailbox would be read in vain for ever.
func TestWhatIsTooMuchForOneMessageGoesAsSeveral(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{})
	var refs []backend.Ref
	var pages []backend.Page
	err := b.Pull(t.Context(), backend.PullRequest{Mailbox: backend.Mailbox{Address: "5 large at 25"}, Since: "begun"}, func(page backend.Page) error {
		for _, c := range page.Changes {
			if refs = append(refs, c.Ref); len(c.Item.Event.Body) != 25<<20 {
				t.Errorf("item %s has %d bytes", c.Ref, len(c.Item.Event.Body))
			}
		}
		page.Changes = nil
		pages = append(pages, page)
		return nil
	})
	if err != nil || !slices.Equal(refs, []backend.Ref{"0", "1", "2", "3", "4"}) {
		t.Errorf("told were %v, %v", refs, err)
	}
	// Whoever is cut off after one of the parts reads all of it again.
	part, end := backend.Page{Full: true, Next: "begun"}, backend.Page{Full: true, Next: "end", Last: true}
	if want := []backend.Page{part, part, end}; !slices.EqualFunc(pages, want, func(a, b backend.Page) bool { return a.Next == b.Next && a.Full == b.Full && a.Last == b.Last }) {
		t.Errorf("the pages are %+v", pages)
	}
	got, err := b.Fetch(t.Context(), backend.Mailbox{Address: "large at 25"}, refs)
	if err != nil || len(got) != len(refs) {
		t.Fatalf("%d items of %d, %v", len(got), len(refs), err)
	}
	for i, one := range got {
		if one.Item.Ref != refs[i] || len(one.Item.Event.Body) != 25<<20 {
			t.Errorf("item %d is %s with %d bytes", i, one.Item.Ref, len(one.Item.Event.Body))
		}
	}
	known := calendar.Event{Body: strings.Repeat("x", 40<<20)}
	if _, err := b.Apply(t.Context(), calendar.Mutation{Op: calendar.Update, Event: known, Known: &known}); err != nil {
		t.Errorf("a change that fits without what is known already: %v", err)
	}
}

// One item of a text that no message holds does not keep the others of its mailbox from being read: it is told without that text.
func TestATextThatIsTooLargeForAMessageIsLeftOut(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{})
	var items []backend.Item
	err := b.Pull(t.Context(), backend.PullRequest{Mailbox: backend.Mailbox{Address: "2 large at 70"}}, func(page backend.Page) error {
		for _, c := range page.Changes {
			items = append(items, *c.Item)
		}
		return nil
	})
	if err != nil || len(items) != 2 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	fetched, err := b.Fetch(t.Context(), backend.Mailbox{Address: "large at 70"}, []backend.Ref{"1", "2"})
	if err != nil || len(fetched) != 2 {
		t.Fatalf("%d fetched, %v", len(fetched), err)
	}
	items = append(items, fetched[0].Item, fetched[1].Item)
	for i, it := range items {
		if it.Event.Subject != "Minutes" || it.Event.Body != "" || !it.Omits.Any(calendar.FieldBody) {
			t.Errorf("item %d: %q with %d bytes of text, omits %v", i, it.Event.Subject, len(it.Event.Body), it.Omits)
		}
	}
	if got, err := b.Fetch(t.Context(), backend.Mailbox{Address: "large at 25"}, []backend.Ref{"1"}); err != nil || got[0].Item.Omits.Any(calendar.FieldBody) {
		t.Errorf("a text that fits: %v", err)
	}
}

// What one item needs alone, even without its text, fails for good, with a sentence.
func TestAnItemThatIsTooLargeForAMessageIsNamed(t *testing.T) {
	t.Parallel()
	p, _ := startPlugin(t, "backend")
	b := openBackend(t, p, BackendConfig{})
	pulled := b.Pull(t.Context(), backend.PullRequest{Mailbox: backend.Mailbox{Address: "1 large at 70+"}}, func(backend.Page) error { return nil })
	_, fetched := b.Fetch(t.Context(), backend.Mailbox{Address: "large at 70+"}, []backend.Ref{"1"})
	_, applied := b.Apply(t.Context(), calendar.Mutation{Op: calendar.Update, Event: calendar.Event{Body: strings.Repeat("x", 70<<20)}})
	for what, err := range map[string]error{"Pull": pulled, "Fetch": fetched, "Apply": applied} {
		if fault.Of(err) != fault.Invalid || !strings.Contains(err.Error(), "MiB that host and plugin can tell each other") {
			t.Errorf("%s: %v, want a sentence of kind invalid", what, err)
		}
	}
	if pulled == nil || !strings.Contains(pulled.Error(), "2026-12-01 09:30 UTC") || strings.Contains(pulled.Error(), "Minutes") {
		t.Errorf("it is not said which, or its subject is: %v", pulled)
	}
}

package plan

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/roomwire/roomwire/sdk/calendar"
)

// bare returns f without its words in the fields which, as a booking is shown.
func bare(f Fields, which calendar.Fields) Fields {
	return redressed(f, Canonical(Fields{Subject: "Private"}), which)
}

// draw has a pair behind a veil.
func draw(in Input, which calendar.Fields) Input {
	if in.Booking == nil {
		return in
	}
	return Veil(in, bare(*in.Booking, which&^in.Omits), which)
}

// wordsOf lists what f says in one of the texts, also in single occurrences.
func wordsOf(f Fields, which calendar.Fields) []string {
	of := func(f Fields) string {
		switch which {
		case calendar.FieldSubject:
			return f.Subject
		case calendar.FieldBody:
			return collapse(f.Body)
		}
		return f.Location
	}
	words := []string{of(f)}
	for _, x := range f.Exceptions {
		if !x.Skipped && x.Own.Any(which) {
			words = append(words, of(*x.Is))
		}
	}
	return words
}

func TestWithheld(t *testing.T) {
	t.Parallel()
	people := []Person{{Email: "bob@example.com"}}
	series := func(own calendar.Fields, is Fields) Fields {
		f := Fields{Recurrence: "FREQ=DAILY;COUNT=3", Class: calendar.Private}
		f.Exceptions = []Exception{{Skipped: true}, {Own: own, Is: &is}}
		return f
	}
	public := series(calendar.FieldClass, Fields{Class: calendar.Confidential})
	public.Class = calendar.Public
	for name, tc := range map[string]struct {
		f    Fields
		want calendar.Fields
	}{
		"public":                     {Fields{}, 0},
		"personal":                   {Fields{Class: calendar.Personal}, 0},
		"private":                    {Fields{Class: calendar.Private}, texts},
		"confidential":               {Fields{Class: calendar.Confidential}, texts},
		"private with rooms":         {Fields{Class: calendar.Private, Resources: []string{"room-a@example.com"}}, texts},
		"private with people":        {Fields{Class: calendar.Private, Attendees: people}, calendar.FieldBody},
		"public with people":         {Fields{Attendees: people}, 0},
		"series":                     {series(calendar.FieldSubject, Fields{Subject: "x"}), texts},
		"people at one occurrence":   {series(calendar.FieldAttendees, Fields{Attendees: people}), calendar.FieldBody},
		"one occurrence is private":  {public, texts},
		"people that it has not own": {series(calendar.FieldSubject, Fields{Attendees: people}), texts},
	} {
		if got := Withheld(tc.f); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

func TestVeil(t *testing.T) {
	t.Parallel()
	f := func(subject string) *Fields {
		c := Canonical(Fields{Subject: subject, Class: calendar.Private})
		return &c
	}
	moved := *f("Private")
	moved.Busy = calendar.Free
	retitled := moved
	retitled.Subject = "Dentist, 3rd floor"
	for name, tc := range map[string]struct {
		in   Input
		want Decision
	}{
		"what is shown is agreed on":          {Input{Base: f("Private"), Booking: f("Dentist"), Item: f("Private")}, Decision{Base: f("Private")}},
		"another title is nobody's business":  {Input{Base: f("Private"), Booking: f("Surgeon"), Item: f("Private")}, Decision{Base: f("Private")}},
		"the owner's title stays":             {Input{Base: f("Private"), Booking: f("Dentist"), Item: f("Mine")}, Decision{Base: f("Private")}},
		"the booking's own words give way":    {Input{Base: f("Dentist"), Booking: f("Dentist"), Item: f("Dentist")}, Decision{ItemFields: calendar.FieldSubject, Item: *f("Private"), Base: f("Private")}},
		"so do its former words":              {Input{Base: f("Dentist"), Booking: f("Surgeon"), Item: f("Dentist")}, Decision{ItemFields: calendar.FieldSubject, Item: *f("Private"), Base: f("Private")}},
		"an edit without its words":           {Input{Base: f("Private"), Booking: f("Dentist"), Item: &retitled}, Decision{BookingFields: calendar.FieldBusy, Booking: moved, Base: &moved}},
		"an item found has its owner's words": {Input{Booking: f("Dentist"), Item: f("Dentist")}, Decision{Base: f("Private")}},
		"deleted though retitled":             {Input{Base: f("Private"), Booking: f("Surgeon")}, Decision{CancelBooking: true}},
		"deleted before it was veiled":        {Input{Base: f("Dentist"), Booking: f("Dentist")}, Decision{CancelBooking: true}},
		"made":                                {Input{Booking: f("Dentist")}, Decision{CreateItem: true, Item: *f("Private"), Base: f("Private")}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sameDecision(t, Plan(draw(tc.in, texts)), tc.want)
		})
	}
}

func sameDecision(t *testing.T, got, want Decision) {
	t.Helper()
	same := got.ItemFields == want.ItemFields && got.BookingFields == want.BookingFields && got.CreateItem == want.CreateItem &&
		got.CancelBooking == want.CancelBooking && len(got.Lost) == len(want.Lost) && (got.Base == nil) == (want.Base == nil)
	if !same || Diff(got.Item, want.Item) != 0 || Diff(got.Booking, want.Booking) != 0 || got.Base != nil && Diff(*got.Base, *want.Base) != 0 {
		t.Errorf("Plan =\n %+v\nwant\n %+v", got, want)
	}
}

// TestAVeilTellsNothing: whatever the sides say, neither is told the other's words, and none that are not the booking's are
// written over.
func TestAVeilTellsNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := genInput(t)
		if in.Booking == nil {
			return
		}
		in.Sent = nil
		d := Plan(draw(in, texts))
		hidden := texts &^ in.Omits
		if d.BookingFields&hidden != 0 && !in.Omits.Any(calendar.FieldRecurrence) {
			t.Fatalf("the booking is told %v", d.BookingFields&hidden)
		}
		for _, f := range split(hidden) {
			shown := wordsOf(bare(*in.Booking, f), f)[0]
			booked := append(wordsOf(*in.Booking, f), shown) // which the item may have told back as those of an occurrence
			if in.Base != nil {
				booked = append(booked, wordsOf(*in.Base, f)...)
			}
			if d.BookingFields != 0 {
				for _, word := range wordsOf(d.Booking, f) {
					if !slices.Contains(booked, word) {
						t.Fatalf("the booking is told %q in %v", word, f)
					}
				}
			}
			if d.Base != nil {
				for _, word := range wordsOf(*d.Base, f) {
					if !slices.Contains(booked, word) {
						t.Fatalf("%q is remembered of %v", word, f)
					}
				}
			}
			if in.Item == nil {
				continue
			}
			theirs := wordsOf(*in.Item, f)
			planned := draw(in, texts)
			written := Spared(*planned.Booking, *in.Item, *planned.Item, hidden)
			for _, word := range wordsOf(written, f) {
				if word != shown && !slices.Contains(theirs, word) {
					t.Fatalf("the item is told %q in %v", word, f)
				}
			}
			for _, x := range in.Item.Exceptions {
				day := in.Item.start().Day(x.Occurrence)
				if x.Skipped || !x.Own.Any(f) || !d.ItemFields.Any(calendar.FieldRecurrence) || in.Base == nil {
					continue
				}
				at, there := written.byDay()[day]
				if !there && sameClock(written, *in.Item) {
					at = Exception{Occurrence: x.Occurrence}
				} else if !there || at.Skipped {
					continue // there is no such occurrence any more
				}
				own, now := wordsOf(in.Item.Occurrence(x), f)[0], wordsOf(written.Occurrence(at), f)[0]
				if known := append(wordsOf(*in.Booking, f), wordsOf(*in.Base, f)...); now != own && now != shown && now != theirs[0] || now != own && !slices.Contains(known, own) {
					t.Fatalf("%q in %v of an occurrence becomes %q", own, f, now)
				}
			}
			if own := theirs[0]; own != shown && d.ItemFields.Any(f) {
				known := wordsOf(*in.Booking, f)
				if in.Base != nil {
					known = append(known, wordsOf(*in.Base, f)...)
				}
				if !slices.Contains(known, own) {
					t.Fatalf("%q in %v is only in the calendar, and is written over", own, f)
				}
			}
		}
	})
}

// TestAVeilComesToRest: what is decided behind a veil settles the pair, and lifting the veil tells the item what the booking says.
func TestAVeilComesToRest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := genInput(t)
		in.Sent, in.Omits = nil, 0
		if in.Booking == nil || in.Item == nil || in.Base == nil {
			return
		}
		in.Base.Unsaid, in.Base.Heard = 0, nil
		real, said := *in.Booking, *in.Item
		veiled := draw(in, texts)
		d := Plan(veiled)
		after := Input{Base: d.Base, Booking: &real, Item: &said}
		if d.BookingFields != 0 {
			took := take(real, d.Booking, d.BookingFields&^(texts|calendar.FieldRecurrence))
			if d.BookingFields.Any(calendar.FieldRecurrence) {
				return // the host takes occurrences over one by one
			}
			after.Booking = &took
		}
		if d.ItemFields != 0 {
			wrote := Spared(take(said, d.Item, d.ItemFields), said, *veiled.Item, texts)
			after.Item = &wrote
		}
		again := Plan(draw(after, texts))
		if !again.Idle() && again.ItemFields != calendar.FieldBody || len(again.Lost) != 0 {
			t.Fatalf("planning again is not idle: %+v\nafter %+v", again, d)
		}
		lifted := Plan(after)
		if lifted.BookingFields.Any(texts) && (real.Subject != "Private" && real.Location != "" || real.Subject != "Private" && lifted.BookingFields.Any(calendar.FieldSubject)) {
			t.Fatalf("lifting the veil has the booking take %v", lifted.BookingFields)
		}
	})
}

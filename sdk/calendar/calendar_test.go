package calendar

import "testing"

func TestFieldsTellWhatTheyHold(t *testing.T) {
	t.Parallel()
	f := FieldTime | FieldSubject
	if !f.Has(FieldTime) || f.Has(FieldTime|FieldBody) || !f.Any(FieldTime|FieldBody) || f.Any(FieldBusy) {
		t.Errorf("Has or Any is wrong for %v", f)
	}
	if got, want := f.String(), "subject,time"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
	if got, want := AllFields.String(), "subject,body,location,time,busy,class,reminder,attendees,resources,recurrence"; got != want {
		t.Errorf("AllFields = %q, want %q", got, want)
	}
	if got := Fields(0).String(); got != "" {
		t.Errorf("no fields = %q", got)
	}
}

func TestAPersonsOwnAffairIsToldByItsReferenceAlone(t *testing.T) {
	t.Parallel()
	e := Event{Subject: "Dentist"}
	for name, tc := range map[string]struct {
		item  Item
		whole bool
	}{
		"no marker":          {Item{Ref: "1", Event: e}, false},
		"our marker":         {Item{Ref: "1", Key: "k", Event: e}, true},
		"the foreign marker": {Item{Ref: "1", ForeignKey: "b", Event: e}, true},
	} {
		got := tc.item.Change()
		if got.Ref != "1" || got.Deleted || (got.Item != nil) != tc.whole || tc.whole && got.Item.Event.Subject != e.Subject {
			t.Errorf("%s: told %+v", name, got)
		}
	}
}

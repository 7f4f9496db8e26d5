package conformance

import (
	"context"
	"reflect"
	"testing"
)

// suite is written once for either.
func suite[X T[X]](t X) {
	t.Run("Good", func(t X) { t.Logf("seen") })
	t.Run("Around", func(t X) {
		t.Run("Within", func(t X) { t.Skipf("not here") })
	})
}

func TestASuiteRunsInTestsAndInReports(t *testing.T) {
	t.Parallel()
	t.Run("test", func(t *testing.T) { suite(t) })
	var told []Result
	r := NewReport(t.Context(), func(one Result) { told = append(told, one) })
	suite(r)
	want := []Result{
		{Name: "Good", Outcome: Passed, Said: []string{"seen"}},
		{Name: "Around/Within", Outcome: Skipped, Said: []string{"not here"}},
	}
	if !reflect.DeepEqual(r.Results(), want) || !reflect.DeepEqual(told, want) || r.Failed() {
		t.Errorf("results %+v, told %+v; want %+v and no failure", r.Results(), told, want)
	}
}

func TestAReportKeepsGoingAfterAFailure(t *testing.T) {
	t.Parallel()
	r := NewReport(t.Context(), nil)
	var cleaned []string
	passed := r.Run("Outer", func(r *Report) {
		r.Cleanup(func() { cleaned = append(cleaned, "first") })
		r.Cleanup(func() { cleaned = append(cleaned, "last") })
		r.Run("Fatal", func(r *Report) { r.Fatalf("over after %d", 1); r.Logf("never") })
		r.Run("Panic", func(*Report) { panic("oh") })
		r.Run("Good", func(*Report) {})
	})
	if passed || !r.Failed() {
		t.Errorf("passed %v, failed %v", passed, r.Failed())
	}
	var got []string
	for _, one := range r.Results() {
		got = append(got, one.Name+" "+string(one.Outcome))
	}
	if want := []string{"Outer/Fatal failed", "Outer/Panic failed", "Outer/Good passed"}; !reflect.DeepEqual(got, want) {
		t.Errorf("results %v, want %v", got, want)
	}
	if want := []string{"last", "first"}; !reflect.DeepEqual(cleaned, want) {
		t.Errorf("cleaned %v, want %v", cleaned, want)
	}
	if said := r.Results()[0].Said; !reflect.DeepEqual(said, []string{"over after 1"}) {
		t.Errorf("said %q", said)
	}
}

func TestAReportThatIsOverBeginsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := NewReport(ctx, nil)
	if r.Run("Late", func(*Report) { t.Error("it was made") }) {
		t.Error("it passed")
	}
}

package exchangesim

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// budgeted is a server in a synctest bubble, and a request for alice's calendar by whom impersonates her.
func budgeted(t *testing.T, b Budget) (*Server, *call) {
	t.Helper()
	s, err := New(Options{Budget: &b})
	if err != nil {
		t.Fatal(err)
	}
	return s, as(t, s, "alice@example.com")
}

func as(t *testing.T, s *Server, address string) *call {
	t.Helper()
	header := `<t:ExchangeImpersonation><t:ConnectingSID><t:PrimarySmtpAddress>` + address + `</t:PrimarySmtpAddress></t:ConnectingSID></t:ExchangeImpersonation>`
	c, err := s.parse(s.users[`example\svc-rooms`], []byte(strings.NewReplacer("HEADER", header, "BODY", getCalendar).Replace(testEnvelope)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func codeOf(err error) string {
	var e *ewsError
	if !errors.As(err, &e) {
		return ""
	}
	return e.code
}

func TestConcurrencyIsLimitedPerMailbox(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, c := budgeted(t, Budget{})
		defer func() { _ = s.Close() }()
		var leave func()
		for range 27 {
			var err error
			if leave, err = s.admit(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.admit(t.Context(), c); codeOf(err) != "ErrorExceededConnectionCount" {
			t.Errorf("the 28th request: %v", err)
		}
		if _, err := s.admit(t.Context(), as(t, s, "bob@example.com")); err != nil {
			t.Errorf("another mailbox: %v", err)
		}
		leave()
		if _, err := s.admit(t.Context(), c); err != nil {
			t.Errorf("after one left: %v", err)
		}
		if u := s.BudgetUse(); u.Requests != 30 || u.Refused != 1 || u.ExceededConnections != 1 || u.MostConcurrent != 27 || u.ServerBusyShare != 0 {
			t.Errorf("use = %+v", u)
		}
	})
}

func TestWhoDrawsTooMuchIsSlowedAndThenRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		second := Milliseconds(time.Second)
		s, c := budgeted(t, Budget{MaxBurst: 3 * second, CutoffBalance: 2 * second, RechargeRate: Milliseconds(15 * time.Minute), RequestCost: second / 2, ItemCost: second / 2})
		defer func() { _ = s.Close() }()
		request := func() error {
			leave, err := s.admit(t.Context(), c) // a second: the request and the one folder in it
			if err == nil {
				leave()
			}
			return err
		}
		began := time.Now()
		for range 3 {
			if err := request(); err != nil || time.Since(began) != 0 {
				t.Fatalf("within the burst: %v after %v", err, time.Since(began))
			}
		}
		for i := range 3 { // a quarter of a second comes back while each is held up for a second
			if err := request(); err != nil || time.Since(began) != time.Duration(i+1)*time.Second {
				t.Fatalf("below zero: %v after %v", err, time.Since(began))
			}
		}
		err := request()
		if codeOf(err) != "ErrorServerBusy" {
			t.Fatalf("at the cutoff: %v", err)
		}
		var e *ewsError
		errors.As(err, &e)
		if len(e.values) != 1 || e.values[0].name != "BackOffMilliseconds" {
			t.Fatalf("no back-off: %v", e.values)
		}
		wait, err := strconv.Atoi(e.values[0].value)
		if err != nil || wait != 9000 { // 2.25 seconds at a quarter of a second per second
			t.Errorf("BackOffMilliseconds = %d, %v", wait, err)
		}
		time.Sleep(time.Duration(wait-1) * time.Millisecond)
		if err := request(); codeOf(err) != "ErrorServerBusy" {
			t.Errorf("before the back-off is over: %v", err)
		}
		time.Sleep(time.Millisecond)
		if err := request(); err != nil {
			t.Errorf("after the back-off: %v", err)
		}
		if u := s.BudgetUse(); u.Requests != 9 || u.ServerBusy != 2 || u.Slowed != 4 || u.ServerBusyShare < 0.2 || time.Duration(u.LowestBalance) != -2500*time.Millisecond {
			t.Errorf("use = %+v", u)
		}
		s.SetBudget(nil)
		if err := request(); err != nil || s.BudgetUse().On {
			t.Errorf("switched off: %v", err)
		}
	})
}

func TestBudgetAndLatencyHoldOverTheWire(t *testing.T) {
	t.Parallel()
	_, c := serve(t, Options{Latency: time.Millisecond, Budget: &Budget{MaxBurst: 1, CutoffBalance: 1, RequestCost: Milliseconds(time.Hour)}})
	c.must(getCalendar)
	status, root, err := c.send(t.Context(), getCalendar)
	detail := root.child("Body", "Fault", "detail")
	if err != nil || status != 500 || detail.child("ResponseCode").value() != "ErrorServerBusy" || detail.child("MessageXml", "Value").value() != "300000" {
		t.Errorf("status %d, %+v, %v", status, detail, err)
	}
}

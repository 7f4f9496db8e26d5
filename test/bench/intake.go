package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/roomwire/roomwire/test/bench/internal/payload"
)

// The goals of the intake.
const (
	goalIntake     = 3000 // notices a second
	goalIntakeP99  = 100 * time.Millisecond
	intakeRate     = 1000 // at which goalIntakeP99 holds
	intakePersons  = 1000
	intakeSenders  = 64
	intakeDuration = 10 * time.Second
)

// bareArgument makes this program the server that the intake is compared with.
const bareArgument = "serve-bare"

// serveBare reads the bodies of requests and answers 200, in a process of its own as the host is.
func serveBare(ctx context.Context) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	})}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(ln); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func startBare() (*exec.Cmd, string, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(exe, bareArgument)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	var addr string
	_, err = fmt.Fscanln(out, &addr)
	return cmd, addr, err
}

// measureIntake posts notices to the public listener of a host on SQLite.
func measureIntake(ctx context.Context, b *bench, r *result) error {
	best, worst, err := measureIntakeOn(ctx, b, r, "SQLite", "")
	if err != nil {
		return err
	}
	r.note("%d senders, %d mailboxes, each notice 1.6 KB with a valid token, read by the EWS plugin and answered once its mark is "+
		"committed (synchronous=FULL). \"Nothing else to do\": notices wait in vain for their pass (coalesce = 300s), so the intake "+
		"is alone; \"passes under way\": every mark is followed by its pass (coalesce = 2s, the default), and host, plugin and "+
		"exchangesim share the cores with the intake and the senders. At %d/s latencies count from the moment at which a notice was "+
		"due.", intakeSenders, intakePersons, intakeRate)
	r.note("Goals: at least %d/s: %s (%.0f); p99 at most %s at %d/s: %s (%s, the worse of the two).",
		goalIntake, verdict(best >= goalIntake), best, ms(goalIntakeP99), intakeRate, verdict(worst <= goalIntakeP99), ms(worst))
	return nil
}

// measureIntakePostgres does the same on PostgreSQL, where it is installed.
func measureIntakePostgres(ctx context.Context, b *bench, r *result) error {
	pg, err := startPostgres(ctx, b)
	if err != nil {
		r.note("Not measured: PostgreSQL could not be started: %v.", err)
		return nil
	}
	defer pg.stop()
	if _, _, err := measureIntakeOn(ctx, b, r, "PostgreSQL", pg.url); err != nil {
		return err
	}
	r.note("As above, with fsync and synchronous_commit. The server shares the cores, too; its CPU time is not counted.")
	return nil
}

// measureIntakeOn returns the notices a second of an intake that is alone, and the worse p99 at intakeRate.
func measureIntakeOn(ctx context.Context, b *bench, r *result, store, url string) (best float64, worst time.Duration, err error) {
	bare, addr, err := startBare()
	if err != nil {
		return 0, 0, err
	}
	defer stop(bare)
	var rows [][]string
	add := func(name string, o *outcome, plain float64, cpu time.Duration) {
		ratio, cost := "", ""
		if plain > 0 {
			ratio = fmt.Sprintf("1 : %.1f", plain/o.perSecond())
		}
		if cpu > 0 {
			cost = micro(cpu / time.Duration(max(1, len(o.latencies))))
		}
		rows = append(rows, []string{
			name, fmt.Sprintf("%.0f", o.perSecond()), ms(quantile(o.latencies, 0.5)), ms(quantile(o.latencies, 0.99)), fmt.Sprint(o.refused), cost, ratio,
		})
	}
	for _, passes := range []bool{false, true} {
		fast, timed, err := intake(ctx, b, store, url, passes)
		if err != nil {
			return 0, 0, err
		}
		plain := load{addr: addr, connections: intakeSenders, request: requestsTo(addr, nil, payload.Notification), duration: intakeDuration / 2}
		o, err := plain.run(ctx)
		if err != nil {
			return 0, 0, err
		}
		name := "nothing else to do"
		if passes {
			name = "passes under way"
		} else {
			best = fast.perSecond()
		}
		worst = max(worst, quantile(timed.latencies, 0.99))
		add(name+", as fast as it goes", &fast.outcome, o.perSecond(), fast.cpu)
		add(fmt.Sprintf("%s, %d/s", name, intakeRate), &timed.outcome, 0, timed.cpu)
		add("bare net/http handler, as fast as it goes", o, 0, 0)
	}
	r.table([]string{store, "notices a second", "p50", "p99", "refused (503)", "CPU of host and plugins per notice", "to the bare handler beside it"}, rows)
	return best, worst, nil
}

// An intakeOutcome is an outcome with what the host and its plugins used.
type intakeOutcome struct {
	outcome
	cpu time.Duration
}

func intake(ctx context.Context, b *bench, name, url string, passes bool) (fast, timed *intakeOutcome, err error) {
	coalesce := `"300s"`
	if passes {
		coalesce = `"2s"`
		name += "-passes"
	}
	s, err := b.newSite(ctx, "intake-"+strings.ToLower(name), setup{people: intakePersons, store: url, sync: map[string]string{"coalesce": coalesce}})
	if err != nil {
		return nil, nil, err
	}
	defer s.stop()
	if err := s.ready(ctx); err != nil {
		return nil, nil, err
	}
	subs, err := s.subscriptions()
	if err != nil {
		return nil, nil, err
	}
	addr := strings.TrimPrefix(s.public, "http://")
	one := func(rate int) (*intakeOutcome, error) {
		l := load{addr: addr, connections: intakeSenders, request: requestsTo(addr, subs, payload.Notification), duration: intakeDuration}
		if rate > 0 {
			l.every = time.Second / time.Duration(rate)
		}
		pids := append(s.plugins(), s.host.Process.Pid)
		before := used(pids...)
		var o *outcome
		err := b.profiled(fmt.Sprintf("intake-%s-%d", name, rate), int(intakeDuration.Seconds()), s.processes(), func() (err error) {
			o, err = l.run(ctx)
			return err
		})
		if err != nil {
			return nil, err
		}
		return &intakeOutcome{*o, used(pids...).cpu - before.cpu}, nil
	}
	if timed, err = one(intakeRate); err != nil {
		return nil, nil, err
	}
	fast, err = one(0)
	return fast, timed, err
}

// requestsTo prepares a message about each subscription; without any, one about nobody's.
func requestsTo(addr string, subs []subscription, body func(subscription string) string) func(i int) []byte {
	if len(subs) == 0 {
		subs = []subscription{{
			ID: "KwBmYWtlLm91dGxvb2suY29tEAAAAA==", URL: "http://" + addr + "/WebServices/SyncNotification.svc?Default&k=" + strings.Repeat("k", 43),
		}}
	}
	prepared := make([][]byte, len(subs))
	for i, sub := range subs {
		_, path, _ := strings.Cut(strings.TrimPrefix(sub.URL, "http://"), "/")
		text := body(sub.ID)
		prepared[i] = fmt.Appendf(nil, "POST /%s HTTP/1.1\r\nHost: %s\r\nContent-Type: text/xml; charset=utf-8\r\nAccept: text/xml\r\n"+
			"SOAPAction: http://schemas.microsoft.com/exchange/services/2006/messages/SendNotification\r\nContent-Length: %d\r\n\r\n%s",
			path, addr, len(text), text)
	}
	return func(i int) []byte { return prepared[i%len(prepared)] }
}
